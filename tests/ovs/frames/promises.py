"""What may arrive where, said of real frames: without flows, labels, zones, or the proof.

A second opinion about the edge. It knows who sent each frame, and remembers who began which session with
whom. A frame that arrives either begins a session that its sender may begin, or belongs to one, as a packet
of a party, or as an ICMP error about a packet of it. The backbone and tenants speak for all addresses that
are theirs; the hosts of pools speak only in sessions of their own.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from common.wire.values import Address
from controller.pipeline.fields import IpProto, Role
from controller.policy.model import PoolKind, Protocol, Tenant
from tests.ovs.frames.craft import ICMP_OF, Tuple5, mac_bytes
from tests.ovs.frames.dissect import Seen, dissect
from tests.ovs.frames.hosts import Cast, Host
from tests.ovs.frames.network import Arrival

_ROUTERS = (Role.BACKBONE, Role.TENANT)
_SMTP = 25


@dataclass(frozen=True, slots=True)
class Begun:
    """A session: who began it and how its first packet looked, there and here."""

    opener: Host
    sent: Tuple5
    answerer: Host
    seen: Tuple5

    @property
    def tuples(self) -> frozenset[Tuple5]:
        """Return all that a packet of the session can look like, before or after translation."""
        return frozenset((self.sent, self.seen, self.sent.reversed(), self.seen.reversed()))


class Promises:
    """Remembers sessions until the switches forget them; `broken_by` judges one arrival at a time."""

    def __init__(self, cast: Cast, bypassed: Collection[str] = (), is_faulty: bool = False) -> None:
        """`bypassed`: tenants that take unscanned mail at present.

        `is_faulty`: only who reaches whom matters, not whether the frame is addressed as it should be.
        """
        self._cast, self._is_faulty = cast, is_faulty
        self._bypassed = bypassed
        self._tenants = {f"tenants.{each.name}": each for each in cast.policy.tenants}
        self._pools = {f"pools.{each.name}": each for each in cast.policy.pools}
        self._begun: dict[Begun, None] = {}

    def forget(self) -> None:
        self._begun.clear()

    def broken_by(self, arrival: Arrival) -> str:
        """Return what an arrival breaks, in words; nothing if it may be."""
        frame = arrival.frame
        sender, receiver = self._cast.host_at[frame.at], self._cast.host_at[arrival.at]
        sent, seen = dissect(frame.data), dissect(arrival.data)
        if sender is receiver:
            return ""
        if sender.role is None or receiver.role is None:
            return f"{sender.path} reaches {receiver.path}: the policy does not name one of the ports"
        if sent.tuple5 is None or seen.tuple5 is None:
            return f"{receiver.path} gets something that is not IP from {sender.path}"
        if not self._is_faulty and not self._is_addressed(arrival, receiver, seen):
            return f"{receiver.path} gets a frame that is not addressed to it, or has a tag"
        if self._is_smtp(seen) and receiver.role is Role.TENANT and not self._may_relay(sender, receiver):
            return f"{sender.path} reaches port 25 of {receiver.path}"
        if self._may_begin(sender, receiver, sent):
            self._begun[Begun(sender, sent.tuple5, receiver, seen.tuple5)] = None
            return ""
        if self._is_part(sender, receiver, sent) or self._is_about(sender, receiver, sent):
            return ""
        return f"{sender.path} reaches {receiver.path} with {sent.tuple5}, which is no session of its own"

    def _is_addressed(self, arrival: Arrival, receiver: Host, seen: Seen) -> bool:
        """Return whether a frame has the MACs of its last hop, and no tag.

        Conntrack holds the pieces of a packet until the last one has come, and releases all of them on its
        way, each with the MAC that was chosen for it: so a piece may carry the MAC of another member of the
        pool.
        """
        macs = mac_bytes(receiver.mac) + mac_bytes(receiver.edge_mac)
        is_piece = seen.is_first or seen.is_later
        return not seen.tags and (is_piece or arrival.data[:12] == macs)

    def _is_smtp(self, seen: Seen) -> bool:
        tuple5 = seen.tuple5
        return tuple5 is not None and (tuple5.protocol, tuple5.target_port) == (IpProto.TCP, _SMTP)

    def _may_relay(self, sender: Host, receiver: Host) -> bool:
        tenant = self._tenants[receiver.group]
        if sender.role in _ROUTERS and tenant.name in self._bypassed:
            return True
        return sender.group == f"pools.{self._cast.first_stop.get(tenant.name)}"

    def _is_part(self, sender: Host, receiver: Host, sent: Seen) -> bool:
        """Return whether a packet belongs to a session of its receiver, and its sender may speak there."""
        for session in self._begun:
            known = session.tuples
            if sent.is_later:
                known = frozenset(map(_without_ports, known))
            if sent.tuple5 is None or sent.tuple5 not in known:
                continue
            for speaker, hearer in (
                (session.opener, session.answerer),
                (session.answerer, session.opener),
            ):
                # Invalid packets have no direction: a party may repeat what it hears, to the other party.
                is_speaker = sender is speaker or self._is_own(sender, sent.tuple5.source)
                if is_speaker and _are_kin(receiver, hearer):
                    return True
        return False

    def _is_own(self, sender: Host, source: Address) -> bool:
        """Return whether a router leads to an address: a tenant's to its own, the others' to the rest."""
        owner = self._owner(source)
        if sender.role is Role.BACKBONE:
            return owner is None
        if sender.role is not Role.TENANT:
            return False
        return sender.group == f"tenants.{owner.name}" if owner else source in sender.addresses

    def _is_about(self, sender: Host, receiver: Host, sent: Seen) -> bool:
        """Return whether an ICMP error is about a session of its receiver, and its sender may know of it."""
        if sent.quoted is None:
            return False
        for session in self._begun:
            parties = (session.opener, session.answerer)
            may_speak = sender.role in _ROUTERS or sender in parties
            if (
                sent.quoted in session.tuples
                and may_speak
                and any(_are_kin(receiver, each) for each in parties)
            ):
                return True
        return False

    def _may_begin(self, sender: Host, receiver: Host, sent: Seen) -> bool:
        assert sent.tuple5
        if sender.role in _ROUTERS:
            return self._may_router_begin(sender, receiver, sent.tuple5, sent.is_later)
        if sender.role is Role.GATEWAY:
            return self._may_gateway_begin(sender, receiver, sent.tuple5)
        return False

    def _may_router_begin(self, sender: Host, receiver: Host, tuple5: Tuple5, is_later: bool) -> bool:
        owner = self._owner(tuple5.target)
        if receiver.role is Role.BACKBONE:
            return sender.role is Role.TENANT and owner is None
        if receiver.role is Role.ANTIVIRUS:
            pool = self._pools[receiver.group]
            return sender.role is Role.TENANT and tuple5.target in pool.vip and _port(tuple5) == pool.port
        if owner is None:
            return False
        if receiver.role is Role.TENANT:
            is_open = _is_published(owner, tuple5, is_later) or (
                self._is_mail(owner, tuple5) and owner.name in self._bypassed
            )
            return receiver.group == f"tenants.{owner.name}" and is_open
        if receiver.role is Role.DECOY:
            return not _is_published(owner, tuple5, is_later=False)
        # Which gateway takes a tenant's mail is not promised: one that does not serve it refuses it.
        return _port(tuple5) == _SMTP

    def _may_gateway_begin(self, sender: Host, receiver: Host, tuple5: Tuple5) -> bool:
        if receiver.role is Role.TENANT:
            owner = self._owner(tuple5.target)
            return owner is not None and self._is_mail(owner, tuple5) and self._may_relay(sender, receiver)
        here, there = self._pools[sender.group], self._pools.get(receiver.group)
        asked = {PoolKind.SCANNER: PoolKind.MAIL_PROXY, PoolKind.ANTIVIRUS: PoolKind.SCANNER}
        if there is None or asked.get(there.kind) is not here.kind:
            return False
        return tuple5.target in there.vip and _port(tuple5) == there.port

    def _is_mail(self, owner: Tenant, tuple5: Tuple5) -> bool:
        return tuple5.target in self._cast.servers.get(owner.name, ()) and _port(tuple5) == _SMTP

    def _owner(self, address: Address) -> Tenant | None:
        for tenant in self._cast.policy.tenants:
            if any(address.version == prefix.version and address in prefix for prefix in tenant.prefixes):
                return tenant
        return None


def _port(tuple5: Tuple5) -> int:
    return tuple5.target_port if tuple5.protocol == IpProto.TCP else 0


def _are_kin(one: Host, other: Host) -> bool:
    """Return whether two hosts are one for a session: routers to one network, not members of a pool."""
    return one is other or (one.role in _ROUTERS and one.group == other.group)


def _without_ports(tuple5: Tuple5) -> Tuple5:
    return replace(tuple5, source_port=0, target_port=0)


def _is_published(tenant: Tenant, tuple5: Tuple5, is_later: bool) -> bool:
    """Return whether a tenant publishes a service; a later fragment has only protocol and address."""
    protocols = {Protocol.TCP: int(IpProto.TCP), Protocol.UDP: int(IpProto.UDP)}
    for service in tenant.services:
        protocol = protocols.get(service.protocol, int(ICMP_OF[tuple5.version]))
        if tuple5.target not in service.servers or tuple5.protocol != protocol:
            continue
        if is_later or not service.ports or tuple5.target_port in service.ports:
            return True
    return False
