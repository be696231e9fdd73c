"""Whether a packet between switches can come back to where it was, whichever trunk is down.

A packet that arrives over a trunk is followed by its destination MAC and tag through the tables. Any
bucket of a group may be chosen, which covers every state of the trunks. The way ends where a packet
leaves by an edge port, or where its connection is looked up: at a home the packet begins a new way, and
every trunk takes one off its TTL.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from controller.pipeline.fields import VLAN_PRESENT, EthType
from controller.pipeline.show import mac_text
from controller.policy.model import Policy, PortRef
from controller.proof import dims
from controller.proof import flows as f
from controller.proof.flows import BitsCriterion, FieldCriterion, HeldFlows, NeutralFlow, Operation
from controller.proof.model import Claim, Violation
from controller.proof.oxm import BITS
from controller.proof.space import trunk_ends
from controller.topology.ports import mac_number, ports_of

_MOST_DEEP = 16
_UNKNOWN = -1
# What is known of a packet that comes over a trunk; all else may match.
_ZERO = (dims.ROLE, dims.PARTY, dims.LEG, dims.POOL, dims.TREATMENT, dims.LABEL_R, dims.LABEL_I, dims.CT_ZONE)

Values = dict[int, int]  # by dimension; a dimension that is not there is not known


@dataclass(frozen=True, slots=True, order=True)
class At:
    """A packet that arrives at a switch over a trunk."""

    switch: str
    port: int
    eth_dst: int
    vlan: int
    eth_type: int


@dataclass(slots=True)
class Loops:
    switches: Mapping[str, HeldFlows]
    trunks: Mapping[tuple[str, int], PortRef]
    _tables: dict[tuple[str, int], list[NeutralFlow]] = field(default_factory=dict)
    _next: dict[At, tuple[At, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, switch in self.switches.items():
            for flow in switch.flows:
                self._tables.setdefault((name, flow.table), []).append(flow)
        for flows in self._tables.values():
            flows.sort(key=lambda flow: -flow.priority)

    def find(self, macs: set[int]) -> list[tuple[At, ...]]:
        """Return ways that end where they began, one for each destination and ethertype."""
        found: dict[tuple[int, int], tuple[At, ...]] = {}
        safe: set[At] = set()
        for (switch, port), eth_dst, eth_type in (
            (end, mac, kind)
            for end in self.trunks
            for mac in sorted(macs)
            for kind in (EthType.IPV4, EthType.IPV6)
        ):
            if (eth_dst, eth_type) not in found:
                way = self._loop_from(At(switch, port, eth_dst, 0, eth_type), safe)
                if way:
                    found[eth_dst, eth_type] = way
        return list(found.values())

    def _loop_from(self, start: At, safe: set[At]) -> tuple[At, ...]:
        """Walk depth first; return the first way that meets itself. What cannot loop becomes safe."""
        way: list[At] = []
        waiting: list[tuple[At, Iterator[At]]] = []

        def enter(node: At) -> None:
            way.append(node)
            waiting.append((node, iter(self._onward(node))))

        if start not in safe:
            enter(start)
        while waiting:
            node, following = waiting[-1]
            after = next(following, None)
            if after is None:
                safe.add(node)
                waiting.pop()
                way.pop()
            elif after in way:
                return (*way[way.index(after) :], after)
            elif after not in safe:
                enter(after)
        return ()

    def _onward(self, at: At) -> tuple[At, ...]:
        found = self._next.get(at)
        if found is None:
            values: Values = dict.fromkeys(_ZERO, 0) | {
                dims.IN_PORT: at.port, dims.ETH_DST: at.eth_dst, dims.VLAN: at.vlan,
                dims.ETH_TYPE: at.eth_type,
                dims.CT_STATE: 0, dims.INNER_VLAN: 0,
            }  # fmt: skip
            found = self._next[at] = tuple(dict.fromkeys(self._look_up(at.switch, values, 0, 0)))
        return found

    def _look_up(self, switch: str, values: Values, table: int, depth: int) -> Iterator[At]:
        if depth > _MOST_DEEP:
            return
        best = _UNKNOWN
        for flow in self._tables.get((switch, table), ()):
            if flow.priority < best:
                return
            is_sure = not flow.is_vague
            for criterion in flow.criteria:
                meets = _meets(values, criterion)
                if meets is False:
                    break
                is_sure = is_sure and meets is True
            else:
                yield from self._carry(switch, values, flow.operations, depth)
                if is_sure:
                    best = flow.priority

    def _carry(  # noqa: C901 (one case for each operation)
        self, switch: str, values: Values, operations: tuple[Operation, ...], depth: int
    ) -> Iterator[At]:
        values = dict(values)
        for each in operations:
            match each:
                case f.SetTo(dim, value):
                    values[dim] = value
                case f.Copy(of, to):
                    values[to] = values.get(of, _UNKNOWN)
                case f.Forget(dim):
                    values.pop(dim, None)
                case f.AddTag():
                    values[dims.INNER_VLAN], values[dims.VLAN] = values[dims.VLAN], VLAN_PRESENT
                case f.RemoveTag():
                    values[dims.VLAN], values[dims.INNER_VLAN] = values[dims.INNER_VLAN], 0
                case f.Send(port) if port != values.get(dims.IN_PORT):
                    yield from self._over(switch, port, values)
                case f.SendAll():
                    for name, port in self.trunks:
                        if name == switch and port != values.get(dims.IN_PORT):
                            yield from self._over(switch, port, values)
                case f.SendBack():
                    yield from self._over(switch, values.get(dims.IN_PORT, 0), values)
                case f.VisitGroup(number):
                    for bucket in self.switches[switch].groups.get(number, ()):
                        yield from self._carry(switch, values, bucket, depth + 1)
                case f.Fork(inside):
                    yield from self._carry(switch, values, inside, depth + 1)
                case f.Visit(table) | f.Goto(table):
                    yield from self._look_up(switch, values, table, depth + 1)

    def _over(self, switch: str, port: int, values: Values) -> Iterator[At]:
        far = self.trunks.get((switch, port))
        if far is not None:
            eth_dst, vlan = values.get(dims.ETH_DST, _UNKNOWN), values.get(dims.VLAN, 0)
            yield At(far.switch, far.port, eth_dst, vlan, values[dims.ETH_TYPE])


def _meets(values: Values, criterion: FieldCriterion | BitsCriterion) -> bool | None:
    """Return whether a packet meets a criterion; None if that is not known."""
    value = values.get(criterion.dim, _UNKNOWN)
    if value == _UNKNOWN:
        return None
    if isinstance(criterion, BitsCriterion):
        return value & criterion.mask == criterion.value & criterion.mask
    behind = BITS[criterion.dim] - criterion.length
    return value >> behind == criterion.value >> behind


def loops_of(policy: Policy, switches: Mapping[str, HeldFlows]) -> list[Violation]:
    """Return a violation for each destination to which packets may go round in a circle."""
    if not policy.links:
        return []
    macs = {mac_number(each.mac) for each in policy.switches}
    macs |= {mac_number(use.mac) for use in ports_of(policy) if use.mac}
    return [
        Violation(
            Claim.LOOP,
            f"trunk at {way[0].switch}:{way[0].port}",
            " -> ".join(f"{each.switch}:{each.port}" for each in way),
            f"any packet to {mac_text(way[0].eth_dst) if way[0].eth_dst >= 0 else 'some MAC'}",
        )
        for way in Loops(switches, trunk_ends(policy)).find(macs)
    ]
