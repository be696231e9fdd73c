"""The part of a network that matters to some tenants: their flows, those without an owner, and a few other
tenants.

Two tenants differ in names and addresses only, so what one tenant may do to another is shown by one
other tenant of each kind. A slice therefore stands for the whole only if the whole was proved before,
and nothing else has changed.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from controller.ids import is_numbered, party_id
from controller.policy.model import Policy, Tenant
from controller.proof import dims, forms
from controller.proof.flows import FieldCriterion, HeldFlows, NeutralFlow, Operation, VisitGroup, ip_prefix
from controller.proof.read import all_groups_of, read_buckets, read_flow
from controller.sync.identity import changes
from controller.sync.state import WireFlow, WireKey, WireState
from controller.topology.ports import mac_number

_ADDRESSES = (dims.IP_SRC, dims.IP_DST, dims.ND_TARGET)
_MACS = (dims.ETH_SRC, dims.ETH_DST, dims.LABEL_R, dims.LABEL_I)


_Values = dict[tuple[object, ...], str]
_Networks = tuple[tuple[int, int, str], ...]


class Owners:
    """Says which tenant a flow belongs to: the one whose party, MAC, port or address it names.

    `before` saves work: what tenants had that are the same objects still.
    """

    def __init__(self, policy: Policy, before: "Owners | None" = None) -> None:
        known = before._of_tenant if before else {}
        self._of_tenant: dict[str, tuple[Tenant, _Values, _Networks]] = {}
        self._values: _Values = {}
        networks: list[tuple[int, int, str]] = []
        for tenant in policy.tenants:
            found = known.get(tenant.name)
            if found is None or found[0] is not tenant:
                found = tenant, _values_of(tenant), _networks_of(tenant)
            self._of_tenant[tenant.name] = found
            self._values |= found[1]
            networks += found[2]
        self._networks = sorted(networks)

    def of(self, switch: str, flow: NeutralFlow) -> str:
        """Return the tenant that a flow belongs to; "" if it belongs to no single one."""
        found = {owner for owner in self._named(switch, flow) if owner}
        return found.pop() if len(found) == 1 else ""

    def _named(self, switch: str, flow: NeutralFlow) -> Iterator[str]:
        for each in flow.criteria:
            if isinstance(each, FieldCriterion):
                yield self._of_value(switch, each.dim, each.value, each.length)

    def _of_value(self, switch: str, dim: int, value: int, length: int) -> str:
        if dim == dims.PARTY:
            return self._values.get(("party", value), "")
        if dim == dims.IN_PORT:
            return self._values.get(("port", switch, value), "")
        if dim in _MACS:
            return self._values.get(("mac", value), "")
        return self._of_address(value, length) if dim in _ADDRESSES else ""

    def _of_address(self, value: int, length: int) -> str:
        place = bisect_right(self._networks, (value, 131, "\uffff")) - 1
        if place < 0:
            return ""
        first, own_length, name = self._networks[place]
        is_inside = length >= own_length and first >> (131 - own_length) == value >> (131 - own_length)
        return name if is_inside else ""


def _values_of(tenant: Tenant) -> _Values:
    values: _Values = {("party", party_id(f"tenants.{tenant.name}")): tenant.name}
    for gateway in tenant.gateways:
        values["mac", mac_number(gateway.mac)] = tenant.name
        values["port", gateway.at.switch, gateway.at.port] = tenant.name
    return values


def _networks_of(tenant: Tenant) -> _Networks:
    addresses = [address for gateway in tenant.gateways for address in gateway.edge]
    addresses += tenant.antivirus.addresses if tenant.antivirus else ()
    prefixes = {ip_prefix(each.version, int(each), each.max_prefixlen) for each in addresses}
    prefixes |= {
        ip_prefix(each.version, int(each.network_address), each.prefixlen) for each in tenant.prefixes
    }
    return tuple((value, length, tenant.name) for value, length in prefixes)


@dataclass(slots=True)
class _Held:
    """The flows of one switch as last read, in neutral form, by owner."""

    state: WireState = field(default_factory=WireState)
    owner: dict[WireKey, str] = field(default_factory=dict)
    in_table: int = 0  # flows of the table of decisions
    flows: dict[str, dict[WireKey, NeutralFlow]] = field(default_factory=lambda: defaultdict(dict))


class Holdings:
    """Keeps what all switches hold in neutral form, so that an edit costs what it changes."""

    def __init__(self, policy: Policy) -> None:
        self._policy, self._owners = policy, Owners(policy)
        self._held: dict[str, _Held] = defaultdict(_Held)

    def update(self, policy: Policy, switches: Mapping[str, WireState]) -> frozenset[str]:
        """Take up what the switches hold now. Return the owners of flows that have changed; "": none."""
        if policy is not self._policy:
            self._policy, self._owners = policy, Owners(policy, self._owners)
        changed: set[str] = set()
        for name, state in switches.items():
            is_new = name not in self._held
            held = self._held[name]
            if held.state is state:
                continue
            before, held.state = held.state, state
            if not is_new and before.groups != state.groups:
                changed.add("")
            for key in _touched(before.flows, state.flows):
                old, new = before.flows.get(key), state.flows.get(key)
                if old != new:
                    changed |= {*self._drop(held, old), *self._put(name, held, new)}
        return frozenset(changed)

    def _put(self, name: str, held: _Held, flow: WireFlow | None) -> Iterator[str]:
        """Take up a flow. Yield its owner, unless the proof covers it by its form."""
        if flow is None:
            return
        key = flow.key
        held.in_table += key.table == forms.TABLE
        if is_numbered(flow.cookie) and forms.is_of_decision(flow):
            held.owner[key] = ""
            return
        neutral = read_flow(flow)
        owner = held.owner[key] = self._owners.of(name, neutral)
        held.flows[owner][key] = neutral
        yield owner

    def _drop(self, held: _Held, flow: WireFlow | None) -> Iterator[str]:
        if flow is None:
            return
        held.in_table -= flow.key.table == forms.TABLE
        owner = held.owner.pop(flow.key)
        if held.flows[owner].pop(flow.key, None):
            yield owner

    def owned_by(self, switch: str, owner: str) -> Iterator[WireKey]:
        """Yield the keys of a tenant's flows on a switch; those without an owner for ""."""
        return iter(self._held[switch].flows.get(owner, {}))

    def of(self, tenants: frozenset[str]) -> dict[str, HeldFlows]:
        """Return the flows of some tenants, and those without an owner."""
        return {name: self._switch(name, tenants) for name in self._held}

    def _switch(self, name: str, tenants: frozenset[str]) -> HeldFlows:
        held, state = self._held[name], self._held[name].state
        flows = [flow for owner in ("", *sorted(tenants)) for flow in held.flows.get(owner, {}).values()]
        flows += forms.any_decision((held.in_table > 0,))
        used = {number for flow in flows for number in groups_in(flow.operations)}
        groups = {}
        waiting = [number for number in used if number in state.groups]
        while waiting:
            number = waiting.pop()
            if number not in groups:
                groups[number] = read_buckets(state.groups[number].buckets)
                inside = (each for bucket in groups[number] for each in groups_in(bucket))
                waiting += [each for each in inside if each in state.groups]
        return HeldFlows(tuple(flows), groups, all_groups_of(state))


def _touched(before: Mapping[WireKey, WireFlow], after: Mapping[WireKey, WireFlow]) -> list[WireKey]:
    """Return the keys of flows that are not one object in both."""
    touched = (flow.key for gone, come in changes(before, after) for flow in (*gone, *come))
    return list(dict.fromkeys(touched))


def groups_in(operations: tuple[Operation, ...]) -> Iterator[int]:
    """Return the numbers of the groups that some operations visit."""
    return (each.group_id for each in operations if isinstance(each, VisitGroup))


def companions(policy: Policy, tenants: frozenset[str]) -> frozenset[str]:
    """Return some tenants and one other of each kind: mail mode, pools, home, and means of protection."""
    kinds: dict[object, str] = {}
    for tenant in policy.tenants:
        if tenant.name not in tenants:
            kinds.setdefault(_kind(tenant), tenant.name)
    return tenants | frozenset(kinds.values())


def _kind(tenant: Tenant) -> object:
    mail = tenant.mail
    way = (mail.mode, mail.proxies, mail.scanners, mail.on_empty) if mail else None
    return way, tenant.home, tenant.decoys, tenant.dark, tenant.antivirus is not None


def limited(policy: Policy, tenants: frozenset[str]) -> Policy:
    """Return a policy with some of its tenants only."""
    return replace(policy, tenants=tuple(each for each in policy.tenants if each.name in tenants))
