"""The fleet in the running controller: kept over restarts, its changes told."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from common.journal.journal import Journal
from controller.antivirus.engines import end_of_life
from controller.antivirus.fleet import Client, Fleet
from controller.policy.model import Policy, PoolKind
from controller.store import Store, StoreError
from controller.telemetry.events import ControllerEvent as Event

_LOOK_EVERY_S = 5.0


class AntivirusFleet:
    def __init__(self, store: Store, journal: Journal) -> None:
        self._store, self._journal = store, journal
        self.fleet = Fleet()
        self._ended: set[str] = set()  # clients of whose engine was told that it has ended
        self._looked_at = 0.0

    def load(self, now: float) -> None:
        """Take up who was known; each gets its time to be heard of again."""
        known = self._store.antivirus_clients()
        self.fleet.restore(Client(key, facts, server, now, utc) for key, facts, server, utc in known)

    def on_policy(self, policy: Policy) -> None:
        self.fleet.rings = {
            tenant.name: tenant.antivirus.ring.value for tenant in policy.tenants if tenant.antivirus
        }
        pools = (pool for pool in policy.pools if pool.kind is PoolKind.ANTIVIRUS)
        self.fleet.expect_servers({member.name for pool in pools for member in pool.members})

    def on_server(self, now: float, server: str, rings: Mapping[str, Any], error: str) -> None:
        """A server says what it serves, and what is wrong with it."""
        self.fleet.on_server(now, server, rings, error)

    def on_reports(self, now: float, server: str, reports: Sequence[Mapping[str, Any]]) -> int:
        """Take what clients reported to a server; return how many were taken."""
        utc = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        heard = [self.fleet.on_report(now, utc, server, report) for report in reports]
        taken = [client for client in heard if client]
        try:
            rows = [(each.key, each.facts, each.server, each.heard_utc) for each in taken]
            self._store.put_antivirus_clients(rows)
        except StoreError as failure:
            self._journal.write(Event.CLIENTS_NOT_STORED, reason=str(failure))
        for client in taken:
            self._tell_of_engine(client)
        self._look(now)
        return len(taken)

    def on_tick(self, now: float) -> None:
        if now - self._looked_at >= _LOOK_EVERY_S:
            self._look(now)

    def _look(self, now: float) -> None:
        self._looked_at = now
        for client in self.fleet.look(now):
            event = Event.CLIENT_STALE if client.is_stale else Event.CLIENT_CURRENT
            silent = f"last heard of at {client.heard_utc}" if client.is_stale else ""
            self._journal.write(event, **_who(client), reason=self.fleet.behind(client) or silent)

    def _tell_of_engine(self, client: Client) -> None:
        ended = end_of_life(str(client.facts["engine"]), datetime.now(UTC).date())
        if not ended:
            self._ended.discard(client.key)
        elif client.key not in self._ended:
            self._ended.add(client.key)
            self._journal.write(Event.ENGINE_END_OF_LIFE, **_who(client), reason=ended)


def _who(client: Client) -> dict[str, object]:
    return {"asker": client.asker, "host": client.facts["host"], "client": client.key}
