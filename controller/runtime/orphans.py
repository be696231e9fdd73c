"""Ends orphaned sessions: makes switches forget them, and wakes up the end that waits."""

from collections.abc import Iterable

from common.journal.journal import Journal
from controller.policy.model import Policy
from controller.pools.conntrack import Connection
from controller.pools.members import PoolMember
from controller.pools.orphans import MOST_PER_CUT, cut
from controller.runtime.switches import Switches
from controller.telemetry.events import ControllerEvent
from controller.topology.ports import mac_number, ports_of


class OrphanedSessions:
    def __init__(self, journal: Journal, switches: Switches) -> None:
        self._journal = journal
        self._switches = switches
        self._path_by_mac: dict[int, str] = {}  # members whose sessions are yet to be cut

    @property
    def is_pending(self) -> bool:
        return bool(self._path_by_mac)

    def note(self, member: PoolMember) -> None:
        """A member's state has changed."""
        mac = mac_number(member.mac)
        self._path_by_mac.pop(mac, None)
        if member.is_gone:
            self._path_by_mac[mac] = member.path

    def cut(self, connections: Iterable[Connection]) -> tuple[Connection, ...]:
        """Make the switches forget the sessions of members that are gone; return those to wake up then."""
        found = cut(connections, frozenset(self._path_by_mac))
        self._switches.forget(found.forgotten)
        for mac, path in self._path_by_mac.items():
            own = sum(mac in (each.initiator, each.responder) for each in found.forgotten)
            self._journal.write(ControllerEvent.SESSIONS_CUT, member=path, connections=own)
        if len(found.forgotten) < MOST_PER_CUT:
            self._path_by_mac.clear()
        return found.told

    def note_forgotten(self, dpid: int, connections: tuple[Connection, ...]) -> None:
        """A switch was restarted and no longer knows these connections."""
        if connections and (record := self._switches.records.get(dpid)):
            count = len(connections)
            self._journal.write(ControllerEvent.SESSIONS_FORGOTTEN, switch=record.name, connections=count)

    def wake_up(self, policy: Policy, connections: Iterable[Connection]) -> None:
        """Make initiators of forgotten connections send a packet, which is answered or reset.

        An initiator whose first packet got no answer retransmits it anyway. Woken up, it would send a reset
        first (RFC 9293, 3.10.7.3). The switch would start a connection with the reset, treat the
        retransmission as an invalid packet of it, and count the session as open for a day after its end.
        """
        place_by_mac = {mac_number(use.mac): use.at for use in ports_of(policy) if use.mac}
        own_mac = {switch.name: mac_number(switch.mac) for switch in policy.switches}
        by_name = self._switches.by_name()
        for connection in connections:
            if not connection.is_answered:
                continue
            at = place_by_mac.get(connection.initiator)
            record = by_name.get(at.switch) if at else None
            if at and record and record.channel:
                record.channel.wake_up(connection, at.port, own_mac[at.switch])
