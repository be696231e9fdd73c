"""Which client or scanner uses which generation of signatures, and how far it lags behind. Pure.

Time is monotonic and a parameter; clients' own clocks are shown, but never trusted.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from common.wire.antivirus import Ring
from common.wire.signatures import ClientReport, ServedRing

MOST_CLIENTS = 100_000
# A client that takes longer for a new generation, or is silent for longer, is stale.
LAGS_AFTER_S = 600.0
SILENT_AFTER_S = 3_600.0
SERVER_SILENT_AFTER_S = 30.0  # a server reports every few seconds


@dataclass(frozen=True, slots=True)
class Client:
    """What one client or scanner reported last. `heard_at`: monotonic; `heard_utc`: for display."""

    key: str
    report: ClientReport
    server: str
    heard_at: float
    heard_utc: str
    lags_since: float | None = None  # since when it has lacked its ring's generation
    is_stale: bool = False

    @property
    def asker(self) -> str:
        return self.report.asker


@dataclass(frozen=True, slots=True)
class Server:
    """The last report of a server. `heard_at`: monotonic; None before the first report."""

    rings: Mapping[str, ServedRing] = field(default_factory=dict)
    error: str = ""
    heard_at: float | None = None


class Fleet:
    """`rings`: which ring an asker is in; all others are in `all`."""

    def __init__(self) -> None:
        self._clients: dict[str, Client] = {}
        self._published: dict[str, ServedRing] = {}
        self.servers: dict[str, Server] = {}
        self.rings: Mapping[str, str] = {}
        self._restored_at = float("-inf")  # clients of before then have the usual time to report again

    def expect_servers(self, names: Collection[str]) -> None:
        """Track exactly these servers, whether they have reported or not."""
        self.servers = {name: self.servers.get(name, Server()) for name in sorted(names)}

    @property
    def clients(self) -> tuple[Client, ...]:
        return tuple(self._clients.values())

    @property
    def published(self) -> Mapping[str, ServedRing]:
        return self._published

    def restore(self, now: float, client: Client) -> None:
        """Restore a client that was known before a restart."""
        self._restored_at = now
        self._clients[client.key] = client

    def on_server(self, now: float, name: str, rings: Mapping[str, ServedRing], error: str) -> None:
        """Record what a server serves. Rings that this version does not know are only shown."""
        self.servers[name] = Server(dict(rings), error, now)
        for ring in [each.value for each in Ring if each.value in rings]:
            served, known = rings[ring], self._published.get(ring)
            if known is None or served.serial > known.serial:
                self._published[ring] = served

    def on_report(self, now: float, utc: str, server: str, report: ClientReport) -> Client | None:
        """Record a client's report; return the client. None: there are too many, or the report is outdated.

        Two reports may arrive through two servers, the later one first; a client's serial never decreases.
        """
        key = f"{report.asker}/{report.client}"
        if key not in self._clients and len(self._clients) >= MOST_CLIENTS:
            return None
        before = self._clients.get(key)
        if before and report.serial < before.report.serial:
            return None
        client = Client(key, report, server, now, utc, before.lags_since if before else None)
        client = replace(client, is_stale=before.is_stale if before else False)
        self._clients[key] = client
        return client

    def look(self, now: float) -> list[Client]:
        """Return the clients that became stale, or current again, since the last call."""
        changed = []
        for client in self.clients:
            lags = bool(self.behind(client))
            since = (client.lags_since if client.lags_since is not None else now) if lags else None
            is_stale = self._is_stale(replace(client, lags_since=since), now)
            new = replace(client, lags_since=since, is_stale=is_stale)
            self._clients[client.key] = new
            if is_stale != client.is_stale:
                changed.append(new)
        return changed

    def behind(self, client: Client) -> str:
        """Return which generation a client should have; an empty text if it has it."""
        wanted = self._published.get(self.rings.get(client.asker, "all"))
        if wanted is None or client.report.generation == wanted.generation:
            return ""
        return f"has generation {client.report.generation or 'none'}, but its ring has {wanted.generation}"

    def _is_stale(self, client: Client, now: float) -> bool:
        is_silent = now - max(client.heard_at, self._restored_at) > SILENT_AFTER_S
        return is_silent or (client.lags_since is not None and now - client.lags_since > LAGS_AFTER_S)
