"""Table `forward`: maps a MAC to a port. Nothing is ever flooded.

The switch's own neighbours are behind a port. Other switches and their neighbours
are behind the trunks that begin a shortest path to them. If a trunk fails, the switch
itself at once uses another trunk with a path of the same length or, if there is none,
the bypass around the failed one (OpenFlow 1.4, 5.6.1).
"""

from collections.abc import Iterator

from controller.compiler.groups import way_name
from controller.compiler.view import SwitchView
from controller.ids import group_id
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import VLAN_PRESENT
from controller.pipeline.flows import (
    Bucket,
    Flow,
    FlowAction,
    Group,
    GroupKind,
    Output,
    PushTag,
    SetField,
    ToGroup,
    match,
)
from controller.pipeline.tables import Table
from controller.policy.model import PortRef
from controller.topology.fabric import Trunk


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for neighbour in view.whole.neighbours:
        receiver = view.stand_in(neighbour)
        rename = (SetField(f.ETH_DST, receiver.mac),) if receiver is not neighbour else ()
        if actions := _deliver(view, receiver.at):
            yield _forward(neighbour.mac, (*rename, *actions), neighbour.path)
    for switch, mac in view.whole.mac_by_switch.items():
        if switch != view.switch.name and (actions := _way(view, switch)):
            yield _forward(mac, actions, f"switches.{switch}")


def build_groups(view: SwitchView) -> Iterator[Group]:
    """Yield a group for each other switch to which there is more than one path."""
    for switch in view.whole.mac_by_switch:
        group = _group(view, switch)
        if group and switch != view.switch.name:
            yield group


def _deliver(view: SwitchView, at: PortRef) -> tuple[FlowAction, ...]:
    if at.switch != view.switch.name:
        return _way(view, at.switch)
    return SetField(f.ETH_SRC, view.mac), Output(at.port)


def _forward(mac: int, actions: tuple[FlowAction, ...], because: str) -> Flow:
    return Flow(Table.FORWARD, priorities.NORMAL, match((f.ETH_DST, mac)), actions, None, because)


def _way(view: SwitchView, switch: str) -> tuple[FlowAction, ...]:
    """Return the actions that lead to another switch; none if no trunk does."""
    if group := _group(view, switch):
        return (ToGroup(group.group_id),)
    return tuple(Output(hop.near.port) for hop in view.whole.fabric.next_hops(view.switch.name, switch))


def _group(view: SwitchView, switch: str) -> Group | None:
    fabric = view.whole.fabric
    hops = fabric.next_hops(view.switch.name, switch)
    number, because = group_id(way_name(switch)), f"switches.{switch}"
    if len(hops) > 1:
        return Group(number, tuple(_direct(hop, 1) for hop in hops), because)
    if hops and hops[0] in fabric.bypasses:
        ways = (_direct(hops[0], 0), _bypass(view, hops[0]))
        return Group(number, ways, because, GroupKind.FAST_FAILOVER)
    return None


def _direct(hop: Trunk, weight: int) -> Bucket:
    return Bucket(weight, (Output(hop.near.port),), hop.near.port)


def _bypass(view: SwitchView, around: Trunk) -> Bucket:
    fabric = view.whole.fabric
    first = fabric.bypasses[around][0].near.port
    tag = SetField(f.VLAN, VLAN_PRESENT | fabric.tags[around])
    # The bypass may begin with the trunk that the packet arrived on.
    return Bucket(0, (PushTag(), tag, SetField(f.CAME_BY, 0), Output(first)), first)
