"""How a real frame may relate to the connections that the switches knew before it was sent.

The proof follows this relation as a ghost of its packets. Here it is derived from the connection table and
from who sent the frame, without labels: the same packet may be known in one zone and new in another.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controller.pipeline.fields import IpProto, Role, Zone
from controller.pipeline.zones import client_zones, zone_number
from controller.proof import modes
from tests.ovs.frames.connections import Connection
from tests.ovs.frames.dissect import Seen
from tests.ovs.frames.hosts import Cast, Host

_SMTP = 25
# By the initiator, by the responder, by a stranger.
_ERRORS = modes.ERROR_BY_INITIATOR, modes.ERROR_BY_RESPONDER, modes.ERROR_BY_STRANGER
_INVALID = modes.INVALID_BY_INITIATOR, modes.INVALID_BY_RESPONDER, modes.INVALID_BY_STRANGER
_ORIGINALS = modes.ORIGINAL, modes.ORIGINAL_BY_RESPONDER, modes.ORIGINAL_BY_STRANGER
_REPLIES = modes.REPLY_BY_INITIATOR, modes.REPLY, modes.REPLY_BY_STRANGER
_NEW = modes.NEW | modes.UNTRACKED


@dataclass(frozen=True, slots=True)
class Relation:
    """`modes`: of `proof.modes`. `ends`: the label's MACs, of responder and initiator, if any."""

    modes: int
    ends: tuple[int, int] | None = None


NO_CONNECTION = Relation(_NEW)


class Relations:
    def __init__(self, cast: Cast, is_faulty: bool = False) -> None:
        """`is_faulty`: flows have been changed, so that any zone may be looked up."""
        self._cast, self._is_faulty = cast, is_faulty
        self._dpid = {switch.name: switch.dpid for switch in cast.policy.switches}
        self._clients = client_zones(tenant.name for tenant in cast.policy.tenants)
        self._host_by_mac = {int(host.mac.replace(":", ""), 16): host for host in cast.hosts}

    def of(
        self,
        sender: Host,
        sent: Seen,
        receiver: Host,
        before: Sequence[Connection],
        after: Sequence[Connection],
    ) -> list[Relation]:
        """Return all relations that a frame may have had, given who received it, and which connections there
        were.

        It counts as without connection unless a connection to its receiver is known in a zone of this sender.
        """
        found = []
        is_known = False
        zones = set(self._zones(sender, sent))
        for connection in before:
            for is_reply, is_error in _directions(sent, connection):
                ends = connection.responder, connection.initiator
                found.append(Relation(self._modes(sender, ends, is_reply, is_error), ends))
                host = self._host_by_mac.get(ends[is_reply])
                leads_here = host is not None and _are_kin(host, receiver)
                # Conntrack may fail to read what an error quotes; the error is then a new packet.
                is_known |= leads_here and not is_error and connection.zone in zones
        has_begun = any(_is_same(sent, each) for each in set(after) - set(before))
        may_be_new = has_begun or not is_known or sent.is_first or sent.is_later or self._is_faulty
        return [*found, NO_CONNECTION if may_be_new else Relation(modes.UNTRACKED)]

    def _modes(self, sender: Host, ends: tuple[int, int], is_reply: bool, is_error: bool) -> int:
        """Return how a frame of a connection may be seen: a TCP segment may always be invalid."""
        responder, initiator = (
            (host := self._host_by_mac.get(mac)) is not None and _are_kin(host, sender) for mac in ends
        )
        if is_error:
            return _chosen(_ERRORS, initiator, responder)
        return _chosen(_INVALID, initiator, responder) | _chosen(
            _REPLIES if is_reply else _ORIGINALS, initiator, responder
        )

    def _zones(self, sender: Host, sent: Seen) -> Iterator[int]:
        """Yield the zones in which a frame of this sender may be looked up."""
        homes = set(self._homes(sender, sent))
        for leg in self._legs(sender, sent):
            for home in homes:
                yield zone_number(home, leg)
        here = self._dpid[sender.at.switch]
        yield zone_number(here, Zone.SCAN)
        yield zone_number(here, Zone.UPDATE)
        if sender.role is Role.TENANT:
            yield self._clients[sender.group.removeprefix("tenants.")]

    def _homes(self, sender: Host, sent: Seen) -> Iterator[int]:
        for tenant in self._cast.policy.tenants:
            ends = (sent.tuple5.source, sent.tuple5.target) if sent.tuple5 else ()
            is_concerned = any(
                end.version == prefix.version and end in prefix for end in ends for prefix in tenant.prefixes
            )
            if is_concerned or sender.group == f"tenants.{tenant.name}":
                yield self._dpid[tenant.home]

    def _legs(self, sender: Host, sent: Seen) -> tuple[Zone, ...]:
        tuple5 = sent.tuple5
        if sender.role is Role.TENANT:
            return Zone.OUTSIDE, Zone.RELAY
        if sender.role is not Role.GATEWAY:
            return (Zone.OUTSIDE,)
        if tuple5 is None or tuple5.protocol != IpProto.TCP:
            return ()
        return tuple(
            leg
            for leg, port in ((Zone.OUTSIDE, tuple5.source_port), (Zone.RELAY, tuple5.target_port))
            if port == _SMTP
        )


def _are_kin(one: Host, other: Host) -> bool:
    """Return whether two hosts are the same for a session: members of a pool are not."""
    return one is other or (one.group == other.group and one.role in (Role.BACKBONE, Role.TENANT))


def _chosen(by_whom: tuple[int, int, int], is_initiator: bool, is_responder: bool) -> int:
    initiator, responder, stranger = by_whom
    if not is_initiator and not is_responder:
        return stranger
    return (initiator if is_initiator else 0) | (responder if is_responder else 0)


def _directions(sent: Seen, connection: Connection) -> Iterator[tuple[bool, bool]]:
    """Yield (is a reply, is an ICMP error) for each way in which a frame belongs to a connection."""
    if sent.tuple5 is not None:
        if _is_same(sent, connection):
            yield False, False
        if _is_same(sent, connection, is_reply=True):
            yield True, False
    if sent.quoted is not None:
        # An error goes to whom the packet came from that it is about; the packet may have been translated.
        if sent.quoted in (connection.original, connection.reply.reversed()):
            yield True, True
        if sent.quoted in (connection.reply, connection.original.reversed()):
            yield False, True


def _is_same(sent: Seen, connection: Connection, is_reply: bool = False) -> bool:
    tuple5 = connection.reply if is_reply else connection.original
    if sent.tuple5 is None or not sent.is_later:
        return sent.tuple5 == tuple5
    return (sent.tuple5.protocol, sent.tuple5.source, sent.tuple5.target) == (
        tuple5.protocol,
        tuple5.source,
        tuple5.target,
    )
