"""The running service: keeps the Cowries that the personas need, and passes connections to them."""

import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from common.journal.journal import Journal
from services.base import ipv6
from services.base.sessions import Sessions
from services.cowrie.acceptor import Acceptor
from services.cowrie.process import Installed
from services.cowrie.reports import Reporting
from services.cowrie.routing import RoutingTable
from services.cowrie.supervisor import CowrieSupervisor
from services.decoy.daemon import DecoyDaemon, DecoyOptions
from services.decoy.events import Encounter
from services.decoy.journal import DecoyEvent
from services.decoy.listeners import servable, set_ttl
from services.decoy.tenants import Tenants
from services.personas.model import Address

_LOOK_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class CowrieOptions(DecoyOptions):
    kept_ready: int


class CowrieService(DecoyDaemon):
    def __init__(self, options: CowrieOptions, installed: Installed, journal: Journal) -> None:
        """Raise `OSError` if there is no spool."""
        super().__init__(options, journal)
        self._sessions = Sessions[Encounter](_end_with_cowrie)
        self._reporting = Reporting(self.notes, self._sessions.forget)
        self._cowries = CowrieSupervisor(
            options.spool / "cowrie",
            installed,
            journal.write,
            self._reporting.carry,
            kept_ready=options.kept_ready,
        )
        self._directory: RoutingTable
        self._front = Acceptor(self._accept)

    async def start(self) -> None:
        await super().start()
        ipv6.tell_if_missing(self.journal, "SSH and Telnet at tenants' IPv6 addresses")

    async def close(self) -> None:
        self._front.close()
        await self._cowries.stop()

    async def take_up(self, settings: Tenants) -> None:
        self._directory = RoutingTable(settings)
        self._cowries.follow(self._directory, settings.likeness)
        for place, reason in self._front.listen_at(servable(self._directory.places())).items():
            self.journal.write(DecoyEvent.LISTEN_FAILED, place=str(place), reason=reason)
        self.use(settings)

    def describe(self, settings: Tenants) -> Mapping[str, object]:
        return {**super().describe(settings), "cowries": [spec.name for spec in self._directory.specs]}

    async def look_around(self) -> None:
        self._reporting.flush()
        await super().look_around()

    def _accept(
        self, accepted: socket.socket, source: Address, source_port: int, here: Address, port: int
    ) -> bool:
        """Serve a connection. Return False if there is no service there, or a limit is reached."""
        found = self._directory.find(here, port)
        if found is None:
            return False
        spec, host, protocol = found
        if host.is_dark:
            set_ttl(accepted, accepted.family, host.ttl_at(port))
        session, trace = secrets.token_hex(8), secrets.token_hex(8)
        encounter = Encounter(spec.tenant, source, source_port, here, port, protocol, session, trace)
        if not self._sessions.admit(encounter, self.options.caps.limits(source)):
            self.turned_away.add(client=str(source), port=source_port, server=str(here))
            return False
        if not self._cowries.take(encounter, spec, accepted):
            self._sessions.forget(encounter)
            return False
        return True


def _end_with_cowrie(_encounter: Encounter) -> None:
    """Sessions end when their Cowrie is stopped."""
