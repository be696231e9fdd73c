"""Desired flows to comparable bytes, plans to the bytes of one atomic bundle."""

import struct
from collections.abc import Iterator

from controller.openflow import messages
from controller.openflow.actions import encode_instructions, learned_instructions
from controller.openflow.messages import BundleControl, GroupCommand, MeterCommand
from controller.openflow.oxm import canonical, encode_fields, entries_of, header
from controller.openflow.replies import InstalledFlow, InstalledGroup
from controller.pipeline.flows import Flow, Group, Learn, SwitchState, match
from controller.sync.outcomes import FoundFlow, Fragments, PortConfig
from controller.sync.plan import Plan
from controller.sync.settings import SettingsReset
from controller.sync.state import WireFlow, WireGroup, WireKey, WireLearned, WireMeter, WireState

_PUT_BACK = PortConfig.NO_RECEIVE | PortConfig.NO_FORWARD | PortConfig.NO_PACKET_IN


def to_wire(state: SwitchState, before: tuple[SwitchState, WireState] | None = None) -> WireState:
    """Return the desired state in the form in which a switch will report it.

    `before`: what an earlier state became. A flow that has not changed is the same object in both.
    """
    flows = list(_flows_to_wire(state, *before)) if before else [*map(flow_to_wire, state.flows.values())]
    groups = [_group_to_wire(group) for group in state.groups.values()]
    learned = frozenset(
        _learned_to_wire(action)
        for flow in state.flows.values()
        for action in flow.actions
        if isinstance(action, Learn)
    )
    meters = {each.meter_id: messages.meter_to_wire(each) for each in state.meters.values()}
    return WireState(
        {flow.key: flow for flow in flows}, {group.group_id: group for group in groups}, learned, meters
    )


def _flows_to_wire(state: SwitchState, before: SwitchState, wire: WireState) -> Iterator[WireFlow]:
    """Encode only those flows that were not in an earlier state, which became `wire`."""
    known: dict[int, WireFlow] = {}
    if len(before.flows) == len(wire.flows):  # otherwise two matches were the same bytes
        known = {id(old): held for old, held in zip(before.flows.values(), wire.flows.values(), strict=True)}
    for key, flow in state.flows.items():
        old = before.flows.get(key)
        yield known.get(id(old)) or flow_to_wire(flow) if old == flow else flow_to_wire(flow)


def _learned_to_wire(action: Learn) -> WireLearned:
    """Return the kind of flow that a switch learns by an action, as it reports them."""
    fixed = canonical(encode_fields(match(*action.fixed)))
    copied = header(action.copied).to_bytes(4)
    entries = sorted([*entries_of(fixed), copied])
    place = entries.index(copied)
    return WireLearned(
        action.table,
        action.cookie,
        learned_instructions(action),
        action.priority,
        action.idle_s << 16,
        b"".join(entries[: place + 1]),
        action.copied.size_bytes,
        b"".join(entries[place + 1 :]),
    )


def flow_to_wire(flow: Flow) -> WireFlow:
    fields = encode_fields(flow.match)
    key = WireKey(int(flow.table), flow.priority, canonical(fields))
    return WireFlow(key, flow.cookie, encode_instructions(flow.actions, flow.goto, flow.meter), fields)


def _group_to_wire(group: Group) -> WireGroup:
    return WireGroup(group.group_id, group.kind, messages.encode_buckets(group))


def installed_state(
    flows: list[InstalledFlow], groups: list[InstalledGroup], meters: list[WireMeter]
) -> WireState:
    """Return what a switch has reported, in the form of `to_wire`."""
    flow_by_key = {held.key: held for held in map(_installed_flow, flows)}
    return WireState(
        flow_by_key,
        {g.group_id: WireGroup(g.group_id, g.kind, g.buckets) for g in groups},
        meters={each.meter_id: each for each in meters},
    )


def _installed_flow(flow: InstalledFlow) -> WireFlow:
    key = WireKey(flow.table, flow.priority, flow.fields)
    return WireFlow(key, flow.cookie, flow.instructions, flow.wire_fields, flow.expires)


def found_flow(flow: InstalledFlow) -> FoundFlow:
    """Return a flow that a switch has reported, with its counters."""
    return FoundFlow(_installed_flow(flow), flow.packets, flow.bytes, flow.duration_s)


def encode_bundle(plan: Plan, xid: int, bundle_id: int) -> list[bytes]:
    """Return the messages that fill an atomic, ordered bundle, and a barrier; nothing takes effect yet.

    All have `xid`, so that any error can be matched to them. The switch checks each message
    when it is added: one that it cannot read is left out, and the rest could still be
    committed. So commit only after the barrier reply has come without an error.
    """
    inner = [messages.put_group(xid, GroupCommand.ADD, group) for group in plan.new_groups]
    inner += [messages.put_group(xid, GroupCommand.MODIFY, group) for group in plan.changed_groups]
    inner += [messages.delete_flow(xid, flow) for flow in plan.deleted_flows]
    inner += [messages.add_flow(xid, flow) for flow in plan.put_flows]
    inner += [messages.delete_group(xid, group.group_id) for group in plan.deleted_groups]
    head = struct.pack("!I2xH", bundle_id, messages.ATOMIC_ORDERED)
    return [
        *(messages.put_meter(xid, MeterCommand.ADD, meter) for meter in plan.new_meters),
        *(messages.put_meter(xid, MeterCommand.MODIFY, meter) for meter in plan.changed_meters),
        messages.bundle_control(xid, bundle_id, BundleControl.OPEN_REQUEST),
        *(messages.message(messages.Type.BUNDLE_ADD, xid, head + one) for one in inner),
        messages.barrier(xid),
    ]


def encode_commit(xid: int, bundle_id: int, plan: Plan) -> list[bytes]:
    """Return the messages that commit a filled bundle, and a barrier."""
    return [
        messages.bundle_control(xid, bundle_id, BundleControl.COMMIT_REQUEST),
        *(messages.delete_meter(xid, meter.meter_id) for meter in plan.deleted_meters),
        messages.barrier(xid),
    ]


def encode_discard(xid: int, bundle_id: int) -> list[bytes]:
    """Return the message that discards a bundle."""
    return [messages.bundle_control(xid, bundle_id, BundleControl.DISCARD_REQUEST)]


def encode_reset(xid: int, reset: SettingsReset) -> list[bytes]:
    """Return the messages that put settings back; the switch takes each of them by itself, or refuses it."""
    found = [
        messages.set_port(xid, port.number, bytes.fromhex(port.mac.replace(":", "")), 0, _PUT_BACK)
        for port in reset.ports
    ]
    found += [messages.set_table(xid, table, 0) for table in reset.tables]
    if reset.miss_send_len is not None:
        found.append(messages.set_config(xid, Fragments.NORMAL, reset.miss_send_len))
    return found
