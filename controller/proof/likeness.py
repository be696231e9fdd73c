"""Tenants that are alike: a few of them stand for all, so that a proof costs little more than to read the
flows.

Two tenants are alike if all flows, and the policy, stay the same when the values of one (party, MACs, ports,
addresses, zone) change places with those of the other. A packet that breaks a claim then has a counterpart
that breaks it with the values of the other.

One packet names at most `ENOUGH` tenants, because it has no more dimensions that tell tenants apart. Its way
depends on flows that name these tenants only, or none. A packet that opened its session shares with it what
the connection keeps. By induction over openers, each packet of the whole therefore has a counterpart in the
part that has `ENOUGH` tenants of each kind: the part is proved if and only if the whole is.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from controller.compiler.network_state import Conditions
from controller.compiler.verify import allowed_bypasses
from controller.policy.model import DEFAULT_LIMIT_PER_S, Address, Policy, Tenant
from controller.proof import dims
from controller.proof import flows as f
from controller.proof.flows import FieldCriterion, HeldFlows, NeutralFlow, Operation
from controller.proof.names import TenantNames, Token, Value, address_prefix
from controller.proof.oxm import BITS
from controller.proof.slices import limited

# sender, in_port, party, eth_src, eth_dst, ip_src, ip_dst, nd_target, label_r, label_i, responder, initiator,
# ct_zone, and the address that a connection is translated to
ENOUGH = 14
_MOST_NESTED = 16


class TooDeep(Exception):
    """Groups that lead to groups endlessly: no tenants are taken to be alike."""


class _Reader:
    """Reads what the flows of one switch say, in a form that is the same for tenants that are alike."""

    def __init__(self, name: str, held: HeldFlows, names: TenantNames) -> None:
        self._switch, self._names = name, names
        self._groups, self._all_groups = held.groups, held.all_groups
        self._found: dict[tuple[int, int, int], tuple[str, Token]] = {}
        self._named: set[str] = set()
        self.outside: set[Value] = set()  # prefixes that are no tenant's, but may contain a tenant's values

    def read(self, flow: NeutralFlow) -> tuple[set[str], Token]:
        """Return the tenants that a flow names, and what it says."""
        self._named = set()
        said = (
            self._switch, flow.table, flow.priority, flow.is_vague,
            tuple(self._criterion(each) for each in flow.criteria), self._operations(flow.operations, 0),
        )  # fmt: skip
        return self._named, said

    def _criterion(self, criterion: FieldCriterion | f.BitsCriterion) -> Token:
        if isinstance(criterion, FieldCriterion):
            return self._value(criterion.dim, criterion.value, criterion.length)
        return (criterion,)

    def _value(self, dim: int, value: int, length: int) -> Token:
        found = self._found.get((dim, value, length))
        if found is None:
            owner, token, outside = self._names.find(self._switch, dim, value, length)
            if outside:
                self.outside.add(outside)
            found = self._found[dim, value, length] = owner, token
        if found[0]:
            self._named.add(found[0])
        return found[1]

    def _operations(self, operations: tuple[Operation, ...], depth: int) -> Token:
        return tuple(self._operation(each, depth) for each in operations)

    def _operation(self, operation: Operation, depth: int) -> Token:
        if depth > _MOST_NESTED:
            raise TooDeep
        match operation:
            case f.SetTo(dim, value):
                return ("set", self._value(dim, value, BITS[dim]))
            case f.Send(port):
                return ("send", self._value(dims.IN_PORT, port, BITS[dims.IN_PORT]))
            case f.VisitGroup(number):
                buckets = self._groups.get(number)
                if buckets is None:
                    return ("no group",)
                return (
                    "group",
                    number in self._all_groups,
                    tuple(self._operations(each, depth + 1) for each in buckets),
                )
            case f.Fork(inside):
                return ("fork", self._operations(inside, depth + 1))
            case f.Teach(table, criteria, inside):
                said = tuple(self._criterion(each) for each in criteria)
                return ("teach", table, said, self._operations(inside, depth + 1))
            case f.Track():
                return self._track(operation)
        return (operation,)

    def _track(self, track: f.Track) -> Token:
        said: list[object] = []
        for half in (track.responder, track.initiator):
            value = half.value
            said.append(half.of if value is None else self._value(dims.ETH_SRC, value, BITS[dims.ETH_SRC]))
        known = track.translation
        if known and known.source:
            said.append(self._value(dims.IP_SRC, *known.source))
        elif known:
            said.append(known)
        zone = self._value(dims.CT_ZONE, track.zone, BITS[dims.CT_ZONE])
        return ("track", zone, track.then, track.commits, *said)


class Likeness:
    """Sorts the tenants of a network by what its flows and its policy say about them."""

    def __init__(self, policy: Policy, switches: Mapping[str, HeldFlows], conditions: Conditions) -> None:
        self._policy, self._switches = policy, switches
        self._names = TenantNames(policy)
        self._unlike = set(self._names.shared)
        self._owners: dict[str, list[str]] = {}  # for each switch, the owner of each flow; "": none
        self._said: dict[str, set[int]] = defaultdict(set)
        self._outside: set[Value] = set()
        numbers: dict[Token, int] = {}
        for name, held in switches.items():
            reader = _Reader(name, held, self._names)
            self._owners[name] = [self._owner(*reader.read(flow), numbers) for flow in held.flows]
            self._outside |= reader.outside
        self._lengths = sorted({(kind, switch, length) for kind, switch, _, length in self._outside})
        self._bypasses = {bypass.server for bypass in allowed_bypasses(policy, conditions)}

    def _owner(self, named: set[str], said: Token, numbers: dict[Token, int]) -> str:
        if not named:
            return ""
        if len(named) > 1:
            self._unlike |= named
            return ""
        (owner,) = named
        self._said[owner].add(numbers.setdefault(said, len(numbers)))
        return owner

    def chosen(self) -> frozenset[str]:
        """Return the tenants that stand for all: of those that are alike, `ENOUGH`."""
        kinds: dict[object, list[str]] = defaultdict(list)
        for tenant in self._policy.tenants:
            kind = tenant.name if tenant.name in self._unlike else self._kind(tenant)
            kinds[kind].append(tenant.name)
        return frozenset(name for alike in kinds.values() for name in alike[:ENOUGH])

    def part(self) -> tuple[Policy, Mapping[str, HeldFlows]]:
        """Return the policy and the flows of the tenants that stand for all."""
        chosen = self.chosen()
        kept = {
            name: replace(
                held,
                flows=tuple(
                    flow
                    for flow, owner in zip(held.flows, self._owners[name], strict=True)
                    if not owner or owner in chosen
                ),
            )
            for name, held in self._switches.items()
        }
        return limited(self._policy, chosen), kept

    def _kind(self, tenant: Tenant) -> object:
        """Return what tenants that are alike have in common."""
        return self._of_policy(tenant), frozenset(self._said[tenant.name]), self._surroundings(tenant)

    def _surroundings(self, tenant: Tenant) -> tuple[object, ...]:
        """Return, for each value of a tenant, the prefixes of flows that contain it and are no tenant's."""
        found: list[object] = []
        for kind, switch, first, length in self._names.values[tenant.name]:
            around = []
            for other_kind, other_switch, shorter in self._lengths:
                if (other_kind, other_switch) == (kind, switch) and shorter < length:
                    behind = BITS[kind] - shorter
                    prefix = (kind, switch, first >> behind << behind, shorter)
                    if prefix in self._outside:
                        around.append(prefix)
            found.append((kind, switch, length, tuple(around)))
        return tuple(found)

    def _of_policy(self, tenant: Tenant) -> object:
        """Return what the policy says about a tenant, with addresses as those of this tenant."""
        mail, services = tenant.mail, tenant.services
        plain = replace(
            tenant, name="", prefixes=(), gateways=(), antivirus=None, may_be_learned=False,
            limit_per_s=DEFAULT_LIMIT_PER_S, mail=None,
            services=tuple(replace(each, name="", servers=()) for each in services),
        )  # fmt: skip
        servers = [*(mail.servers if mail else ()), *(each for one in services for each in one.servers)]
        counts = tuple(len(each.servers) for each in services)
        gateways = tuple((each.at.switch, len(each.edge)) for each in tenant.gateways)
        protected = replace(tenant.antivirus, addresses=()) if tenant.antivirus else None
        way = (mail.mode, mail.proxies, mail.scanners, mail.on_empty, len(mail.servers)) if mail else None
        return plain, way, counts, gateways, protected, tuple(map(self._server, servers))

    def _server(self, address: Address) -> Token:
        _, token, _ = self._names.find("", dims.IP_DST, *address_prefix(address))
        return (*token, address in self._bypasses)


def stand_ins(
    policy: Policy, switches: Mapping[str, HeldFlows], conditions: Conditions
) -> tuple[Policy, Mapping[str, HeldFlows]]:
    """Return the policy and flows of a few tenants of each kind; the proof of these stands for all."""
    if len(policy.tenants) <= ENOUGH:
        return policy, switches
    try:
        return Likeness(policy, switches, conditions).part()
    except TooDeep:
        return policy, switches
