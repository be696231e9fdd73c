"""What may arrive at each neighbour, from the policy and the present conditions. All else is a violation.

docs/proof.md lists the claims in words, and where each is looser than one could wish, with the reason.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from controller.compiler.mail_path import first_stop
from controller.compiler.network_state import Conditions
from controller.compiler.verify import allowed_bypasses
from controller.pipeline.fields import EthType, IpProto, Role
from controller.policy.model import Address, Mail, Policy, Pool, PoolKind, Protocol, Tenant
from controller.proof import modes
from controller.proof.boxes import Narrower
from controller.proof.dims import (
    DPORT,
    ETH_TYPE,
    ICMP_TYPE,
    INITIATOR,
    IP_DST,
    IP_SRC,
    MASKS,
    MODE,
    PROTO,
    RESPONDER,
    SENDER,
    Box,
)
from controller.proof.model import Claim
from controller.proof.space import SMTP, Space

Permit = tuple[tuple[int, int], ...]  # conditions under which a packet may arrive
_BEGINS = modes.NEW | modes.ORIGINAL | modes.ORIGINAL_BY_STRANGER
_ANSWERS = modes.BY_RESPONDER & ~modes.ORIGINAL_BY_RESPONDER
_LOOSE = (
    modes.ERROR
    | modes.INVALID
    | modes.REPLY_BY_STRANGER
    | modes.REPLY_BY_INITIATOR
    | modes.ORIGINAL_BY_RESPONDER
)
_KNOWN = modes.ALL & ~(modes.NEW | modes.UNTRACKED)
_ADVERTISEMENT = 136
_ALL_BITS = (1 << MASKS) - 1


@dataclass(frozen=True, slots=True)
class Breach:
    """Packets at a port that no permit covers."""

    claim: Claim
    switch: str
    port: int
    box: Box


class Claims:
    """`before`: claims of the policy before, whose open sessions may go on with what it permitted."""

    def __init__(
        self,
        space: Space,
        policy: Policy,
        conditions: Conditions,
        narrower: Narrower,
        before: "Claims | None" = None,
    ) -> None:
        self._space, self._policy, self._narrower = space, policy, narrower
        self._before = before
        self._bypasses = {bypass.server for bypass in allowed_bypasses(policy, conditions)}
        self._tcp = space.value(PROTO, IpProto.TCP)
        self._smtp = space.value(DPORT, SMTP)
        self._backbone = space.senders_with(Role.BACKBONE)
        self._tenant_senders = space.senders_with(Role.TENANT)
        self._permits: dict[int, tuple[Permit, ...]] = {}

    def breaches(self, switch: str, port: int, box: Box) -> list[Breach]:
        """Return what of a box may not arrive at a port."""
        place = self._space.sender_by_port.get((switch, port))
        if place is None:
            return [Breach(Claim.UNKNOWN_PORT, switch, port, box)]
        if any(_is_inside(box, permit) for permit in self.permits(place)):
            return []
        whole = list(box)
        if not self._narrower.narrow(whole, _ALL_BITS):
            return []
        rest = [tuple(whole)]
        for permit in self.permits(place):
            rest = [piece for each in rest for piece in self._outside(each, permit)]
            if not rest:
                return []
        return [Breach(self._claim(each, place), switch, port, each) for each in rest]

    def _outside(self, box: Box, permit: Permit) -> Iterable[Box]:
        for dim, mask in permit:
            if not box[dim] & mask:
                return (box,)
        return self._narrower.outside(box, permit)

    def permits(self, place: int) -> tuple[Permit, ...]:
        """Return what may arrive at a neighbour, given as the sender that it is."""
        found = self._permits.get(place)
        if found is None:
            found = tuple(self._permits_of(place))
            if self._before is not None:
                found += tuple(map(_in_sessions, self._before.permits(place)))
            self._permits[place] = found
        return found

    def _permits_of(self, place: int) -> Iterator[Permit]:
        yield from self._from_the_switch(place)
        neighbour = self._space.senders[place].neighbour
        assert neighbour is not None
        if neighbour.role is Role.BACKBONE:
            yield from self._at_backbone()
        elif neighbour.role is Role.TENANT:
            if tenant := self._tenant_by_kin.get(neighbour.kin):  # a policy before may not have had it
                yield from self._at_tenant(tenant, place)
        elif pool := self._pool_by_place.get(place):
            yield from self._at_host(pool, place)

    def _from_the_switch(self, place: int) -> Iterator[Permit]:
        """Answers of the switch itself to the neighbour's own questions: ARP and neighbour discovery."""
        value = self._space.value
        yield (SENDER, 1 << place), (ETH_TYPE, value(ETH_TYPE, EthType.ARP))
        icmpv6, advertisement = value(PROTO, IpProto.ICMPV6), value(ICMP_TYPE, _ADVERTISEMENT)
        yield (SENDER, 1 << place), (PROTO, icmpv6), (ICMP_TYPE, advertisement)

    def _at_backbone(self) -> Iterator[Permit]:
        """Tenants may reach the whole internet; hosts of pools only answer."""
        yield ((SENDER, self._tenant_senders),)
        yield (SENDER, self._hosts), (MODE, _ANSWERS), (INITIATOR, self._macs(self._backbone))
        yield (SENDER, self._backbone), (MODE, _KNOWN)

    def _at_tenant(self, tenant: Tenant, place: int) -> Iterator[Permit]:
        kin, macs = self._space.kin[place]
        routers = self._backbone | self._tenant_senders
        if tenant.mail:
            for server in tenant.mail.servers:
                yield from self._mail_to(server, tenant.mail)
                if server in self._bypasses:
                    # Then it may be both ends of a session, and an invalid packet has no direction.
                    both_ends = modes.INVALID_BY_RESPONDER | modes.ORIGINAL_BY_RESPONDER
                    yield (SENDER, kin), (INITIATOR, macs), *self._smtp_of(server), (MODE, both_ends)
        # A tenant's own packet may come back to it, but not to its own port 25.
        yield (SENDER, kin), (IP_DST, self._space.everything[IP_DST] & ~self._networks(tenant))
        not_mail = self._space.everything[DPORT] & ~self._smtp
        not_tcp = self._space.everything[PROTO] & ~self._tcp
        for way in (((PROTO, not_tcp),), ((DPORT, not_mail),)):
            yield *way, (SENDER, kin)
            yield *way, (SENDER, routers | self._hosts), (MODE, _ANSWERS), (INITIATOR, macs)
            yield *way, (SENDER, routers), (MODE, modes.ERROR)
            # The receiver began with a tenant's address, where a host answers: the tenant may, too.
            to_tenant = (SENDER, self._tenant_senders), (IP_SRC, self.prefixes), (INITIATOR, macs)
            yield *way, *to_tenant, (MODE, modes.REPLY_BY_STRANGER | modes.INVALID_BY_STRANGER)
            if self._before is not None:
                yield *way, *self._of_moved_addresses(macs)
            # The same holds for an address outside, whatever the label says.
            outside = (SENDER, self._backbone), (IP_SRC, self._outside_addresses), (INITIATOR, macs)
            yield *way, *outside, (MODE, modes.REPLY_BY_STRANGER | modes.INVALID_BY_STRANGER)
            yield *way, (SENDER, self._hosts), (MODE, modes.ERROR_BY_INITIATOR), (RESPONDER, macs)
            own = modes.INVALID_BY_INITIATOR | modes.REPLY_BY_INITIATOR
            yield *way, (SENDER, self._hosts), (MODE, own), (RESPONDER, macs)
        if self._before is not None:
            yield from self._to_nobody(macs)
        for permit in self._published(tenant):
            yield (SENDER, routers), (MODE, _BEGINS | modes.INVALID), *permit

    def _of_moved_addresses(self, macs: int) -> Permit:
        """The receiver began with an address that was a tenant's: its present owner may answer."""
        assert self._before is not None
        routers = self._backbone | self._tenant_senders
        expected = (IP_SRC, self._before.prefixes), (INITIATOR, macs)
        return (SENDER, routers), *expected, (MODE, modes.REPLY_BY_STRANGER | modes.INVALID_BY_STRANGER)

    def _to_nobody(self, macs: int) -> Iterator[Permit]:
        """A router may send from a former address of a tenant, but not to an address of one."""
        assert self._before is not None
        tenants = self.prefixes | self._before.prefixes
        elsewhere = (IP_DST, self._space.everything[IP_DST] & ~tenants)
        routers = self._backbone | self._tenant_senders
        for end in (INITIATOR, RESPONDER):
            yield (
                (SENDER, routers),
                elsewhere,
                (end, macs),
                (MODE, _KNOWN),
            )

    def _mail_to(self, server: Address, mail: Mail) -> Iterator[Permit]:
        yield (SENDER, self._members(first_stop(self._policy, mail))), *self._smtp_of(server)
        if server in self._bypasses:
            routers = self._backbone | self._tenant_senders
            yield (SENDER, routers), *self._smtp_of(server), (MODE, modes.NEW | modes.BY_INITIATOR)

    def _smtp_of(self, server: Address) -> Permit:
        to_server = (PROTO, self._tcp | self._space.hidden_proto), (IP_DST, self._space.address(server))
        return (*to_server, self._to_port(SMTP))

    def _to_port(self, port: int) -> tuple[int, int]:
        """Limit packets to a port. A later fragment has none, and is nothing without the first one."""
        return DPORT, self._space.value(DPORT, port) | self._space.no_port

    def _published(self, tenant: Tenant) -> Iterator[Permit]:
        value = self._space.value
        for service in tenant.services:
            for server in service.servers:
                to_server = (IP_DST, self._space.address(server))
                if service.protocol is Protocol.ICMP:
                    number = IpProto.ICMP if server.version == 4 else IpProto.ICMPV6
                    yield to_server, (PROTO, value(PROTO, number))
                    continue
                number = IpProto.TCP if service.protocol is Protocol.TCP else IpProto.UDP
                for port in service.ports:
                    if (number, port) != (IpProto.TCP, SMTP):
                        protocol = value(PROTO, number) | self._space.hidden_proto
                        yield to_server, (PROTO, protocol), self._to_port(port)

    def _at_host(self, pool: Pool, place: int) -> Iterator[Permit]:
        itself = self._space.mac_of_sender[place]
        routers = self._backbone | self._tenant_senders
        yield (MODE, _ANSWERS), (INITIATOR, itself)
        yield (MODE, modes.BY_INITIATOR & ~modes.ORIGINAL), (RESPONDER, itself)
        for end in (INITIATOR, RESPONDER):
            yield (SENDER, routers), (MODE, _LOOSE), (end, itself)
        for senders, permit in self._work_of(pool):
            begins = modes.NEW | modes.BY_INITIATOR if senders & ~routers else _BEGINS
            yield (SENDER, senders), (MODE, begins), *permit

    def _work_of(self, pool: Pool) -> Iterator[tuple[int, Permit]]:
        """Yield who may begin which connections to a pool's members."""
        routers = self._backbone | self._tenant_senders
        if pool.kind in (PoolKind.MAIL_PROXY, PoolKind.SCANNER, PoolKind.RESPONDER):
            yield (
                routers,
                (
                    (PROTO, self._tcp | self._space.hidden_proto),
                    (IP_DST, self.prefixes),
                    self._to_port(SMTP),
                ),
            )
        if pool.kind is PoolKind.DECOY:
            yield routers, ((IP_DST, self.prefixes),)
        if pool.kind is PoolKind.SCANNER:
            yield self._of_kind(PoolKind.MAIL_PROXY), self._to_vip(pool)
        if pool.kind is PoolKind.ANTIVIRUS:
            yield self._tenant_senders, self._to_vip(pool)
            yield self._of_kind(PoolKind.SCANNER), self._to_vip(pool)

    def _to_vip(self, pool: Pool) -> Permit:
        vips = 0
        for vip in pool.vip:
            vips |= self._space.address(vip)
        return (PROTO, self._tcp | self._space.hidden_proto), (IP_DST, vips), self._to_port(pool.port)

    def _claim(self, box: Box, place: int) -> Claim:
        """Return the claim that packets break which no permit covers."""
        receiver = self._space.senders[place].neighbour
        assert receiver is not None
        is_mail = box[PROTO] & self._tcp and box[DPORT] & self._smtp
        if receiver.role is Role.TENANT and is_mail:
            return Claim.PORT_25
        senders = box[SENDER]
        if senders & self._space.senders_with(Role.RESPONDER, Role.DECOY, Role.ANTIVIRUS):
            return Claim.ANSWERS_ONLY if box[MODE] & (_BEGINS | modes.UNTRACKED) else Claim.FOREIGN_SESSION
        if senders & self._hosts:
            return Claim.FOREIGN_SESSION
        if receiver.role is Role.TENANT:
            return Claim.OTHER_TENANT if senders & self._tenant_senders else Claim.UNPUBLISHED
        return Claim.TRANSIT if receiver.role is Role.BACKBONE else Claim.POOL_HOST

    def _networks(self, tenant: Tenant) -> int:
        united = 0
        for prefix in tenant.prefixes:
            united |= self._space.network(prefix)
        return united

    def _macs(self, senders: int) -> int:
        return self._narrower.macs_of(senders)

    def _members(self, pool: Pool) -> int:
        return sum(1 << place for place, other in self._pool_by_place.items() if other is pool)

    def _of_kind(self, kind: PoolKind) -> int:
        return sum(1 << place for place, pool in self._pool_by_place.items() if pool.kind is kind)

    @cached_property
    def _hosts(self) -> int:
        return self._space.senders_with(Role.GATEWAY, Role.RESPONDER, Role.DECOY, Role.ANTIVIRUS)

    @cached_property
    def prefixes(self) -> int:
        united = 0
        for tenant in self._policy.tenants:
            united |= self._networks(tenant)
        return united

    @cached_property
    def _outside_addresses(self) -> int:
        """All addresses but those of tenants and of hosts of pools."""
        known = self.prefixes
        for pool in self._policy.pools:
            for address in (*pool.vip, *(each for member in pool.members for each in member.addresses)):
                known |= self._space.address(address)
        return self._space.everything[IP_SRC] & ~known

    @cached_property
    def _tenant_by_kin(self) -> dict[str, Tenant]:
        return {f"tenants.{tenant.name}.gateways": tenant for tenant in self._policy.tenants}

    @cached_property
    def _pool_by_place(self) -> dict[int, Pool]:
        pools = {(each.at.switch, each.at.port): pool for pool in self._policy.pools for each in pool.members}
        found: dict[int, Pool] = {}
        for place, sender in enumerate(self._space.senders):
            if sender.neighbour and (pool := pools.get((sender.switch, sender.port))):
                found[place] = pool
        return found


def _in_sessions(permit: Permit) -> Permit:
    """Limit a permit to packets of known connections."""
    given = next((mask for dim, mask in permit if dim == MODE), _KNOWN)
    return (*((dim, mask) for dim, mask in permit if dim != MODE), (MODE, given & _KNOWN))


def _is_inside(box: Box, permit: Permit) -> bool:
    return all(not box[dim] & ~mask for dim, mask in permit)
