"""Table `admission`: identifies the neighbour on a port, and drops packets that are not for the edge.

There is a flow for each neighbour: port, its MAC, and the switch's own MAC as
destination. Role and party go into registers, and every later table relies on them.
A packet from a trunk was already admitted by another switch: it is at its home here,
or passes through. Each hop over a trunk decrements the packet's TTL, so that wrong
cabling cannot make it loop forever.
"""

from collections.abc import Iterator

from controller.compiler.neighbours import Neighbour
from controller.compiler.view import ETH_TYPES, SwitchView
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import VLAN_PRESENT, EthType, Field, IpProto
from controller.pipeline.flows import (
    CONTROLLER_NUMBER,
    DecTtl,
    Flow,
    FlowAction,
    Match,
    Output,
    PopTag,
    SetField,
    match,
)
from controller.pipeline.tables import Table

_SOLICITATION = 135  # RFC 4861, 4.3
_NO_TAG = (f.VLAN, 0)


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for neighbour in view.neighbours:
        yield from _admit(view, neighbour)
    for trunk in view.whole.fabric.trunks_at(view.switch.name):
        yield from _arrive(view, trunk.near.port, _NO_TAG, (), trunk.rule)
        # The controller compares the cabling with the policy. A trunk connects only our own switches.
        probe = match((f.IN_PORT, trunk.near.port), (f.ETH_TYPE, EthType.LLDP))
        yield Flow(Table.ADMISSION, priorities.HIGH, probe, (Output(CONTROLLER_NUMBER),), None, trunk.rule)
    yield from _bypasses(view)


def _admit(view: SwitchView, neighbour: Neighbour) -> Iterator[Flow]:
    known = ((f.IN_PORT, neighbour.at.port), _NO_TAG, (f.ETH_SRC, neighbour.mac))
    registers = (SetField(f.ROLE, neighbour.role), SetField(f.PARTY, neighbour.party))

    def flow(band: int, wanted: Match, goto: Table) -> Flow:
        return Flow(Table.ADMISSION, band, wanted, registers, goto, neighbour.path)

    # Neighbour solicitations come before the general IPv6 flow and go to a multicast MAC.
    yield flow(priorities.HIGH, match(*known, (f.ETH_TYPE, EthType.ARP)), Table.NEIGHBOUR)
    solicitation = match(
        *known,
        (f.ETH_TYPE, EthType.IPV6),
        (f.IP_PROTO, IpProto.ICMPV6),
        (f.ICMPV6_TYPE, _SOLICITATION),
    )
    yield flow(priorities.HIGH, solicitation, Table.NEIGHBOUR)
    for eth_type in ETH_TYPES:
        wanted = match(*known, (f.ETH_DST, view.mac), (f.ETH_TYPE, eth_type))
        yield flow(priorities.NORMAL, wanted, Table.SOURCE)


def _arrive(
    view: SwitchView, port: int, tag: tuple[Field, int], first: tuple[FlowAction, ...], because: str
) -> Iterator[Flow]:
    """A packet from another switch has arrived at its home, or passes through."""
    for eth_type in ETH_TYPES:
        here = ((f.IN_PORT, port), tag, (f.ETH_TYPE, eth_type))
        actions = (*first, DecTtl())
        home = match(*here, (f.ETH_DST, view.mac))
        yield Flow(Table.ADMISSION, priorities.NORMAL, home, actions, Table.VISITOR, because)
        yield Flow(Table.ADMISSION, priorities.LOW, match(*here), actions, Table.FORWARD, because)


def _bypasses(view: SwitchView) -> Iterator[Flow]:
    """A packet on the bypass around a dead trunk follows it to its end, regardless of other flows."""
    fabric = view.whole.fabric
    for around, way in fabric.bypasses.items():
        tag = (f.VLAN, VLAN_PRESENT | fabric.tags[around])
        for hop, onward in zip(way, [*way[1:], None], strict=True):
            if hop.far.switch != view.switch.name:
                continue
            if onward is None:
                yield from _arrive(view, hop.far.port, tag, (PopTag(),), around.rule)
                continue
            for eth_type in ETH_TYPES:
                wanted = match((f.IN_PORT, hop.far.port), tag, (f.ETH_TYPE, eth_type))
                actions = (DecTtl(), Output(onward.near.port))
                yield Flow(Table.ADMISSION, priorities.NORMAL, wanted, actions, None, around.rule)
