"""The fleet in the running controller: kept across restarts, with its changes reported."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime

from common.journal.journal import Journal
from common.wire.codec import RecordError, from_media, to_media
from common.wire.signatures import ClientReport, ServedRing
from controller.antivirus.engines import end_of_life
from controller.antivirus.fleet import Client, Fleet
from controller.policy.model import Policy, PoolKind
from controller.store import Store, StoreError
from controller.telemetry.events import ControllerEvent

_LOOK_EVERY_S = 5.0


class AntivirusFleet:
    def __init__(self, store: Store, journal: Journal) -> None:
        self._store, self._journal = store, journal
        self.fleet = Fleet()
        self.servers: frozenset[str] = frozenset()  # members of pools of servers, by path
        self._ended: set[str] = set()  # clients whose engine was reported to have reached its end of life
        self._looked_at = 0.0

    def load(self, now: float, utc_now: float) -> None:
        """Restore the clients that were known; each has the usual time to report again."""
        for key, facts, server, utc in self._store.antivirus_clients():
            with suppress(RecordError):  # another release stored it: the client will report again
                report = from_media(ClientReport, facts)
                heard_at = now - max(0.0, utc_now - _seconds(utc))
                self.fleet.restore(now, Client(key, report, server, heard_at, utc))

    def on_policy(self, policy: Policy) -> None:
        self.fleet.rings = {
            tenant.name: tenant.antivirus.ring.value for tenant in policy.tenants if tenant.antivirus
        }
        servers = [
            (pool.name, member.name)
            for pool in policy.pools
            if pool.kind is PoolKind.ANTIVIRUS
            for member in pool.members
        ]
        self.servers = frozenset(f"{pool}.{name}" for pool, name in servers)
        self.fleet.expect_servers({name for _, name in servers})

    def on_server(self, now: float, server: str, rings: Mapping[str, ServedRing], error: str) -> None:
        """Record what a server serves, and what is wrong with it."""
        self.fleet.on_server(now, server, rings, error)

    def on_reports(self, now: float, utc: float, server: str, reports: Sequence[ClientReport]) -> int:
        """Record what clients reported to a server; return how many reports were accepted."""
        time = datetime.fromtimestamp(utc, UTC)
        text = time.isoformat(timespec="seconds").replace("+00:00", "Z")
        heard = [self.fleet.on_report(now, text, server, report) for report in reports]
        taken = [client for client in heard if client]
        try:
            rows = [(each.key, to_media(each.report), each.server, each.heard_utc) for each in taken]
            self._store.put_antivirus_clients(rows)
        except StoreError as failure:
            self._journal.write(ControllerEvent.CLIENTS_NOT_STORED, reason=str(failure))
        for client in taken:
            self._report_engine(client, time.date())
        self._look(now)
        return len(taken)

    def on_tick(self, now: float) -> None:
        if now - self._looked_at >= _LOOK_EVERY_S:
            self._look(now)

    def _look(self, now: float) -> None:
        self._looked_at = now
        for client in self.fleet.look(now):
            event = ControllerEvent.CLIENT_STALE if client.is_stale else ControllerEvent.CLIENT_CURRENT
            silent = f"last report at {client.heard_utc}" if client.is_stale else ""
            self._journal.write(event, **_who(client), reason=self.fleet.behind(client) or silent)

    def _report_engine(self, client: Client, today: date) -> None:
        ended = end_of_life(client.report.engine, today)
        if not ended:
            self._ended.discard(client.key)
        elif client.key not in self._ended:
            self._ended.add(client.key)
            self._journal.write(ControllerEvent.ENGINE_END_OF_LIFE, **_who(client), reason=ended)


def _seconds(utc: str) -> float:
    """Return a time as seconds since 1970. Raise `RecordError` if it is not a time."""
    try:
        return datetime.fromisoformat(utc).timestamp()
    except ValueError as error:
        raise RecordError([str(error)]) from error


def _who(client: Client) -> dict[str, object]:
    return {"asker": client.asker, "host": client.report.host, "client": client.key}
