"""Desired flows to comparable bytes, plans to the bytes of one atomic bundle."""

import struct

from controller.openflow import messages
from controller.openflow.actions import encode_instructions, learned_instructions
from controller.openflow.messages import BundleControl, GroupCommand, MeterCommand
from controller.openflow.oxm import canonical, encode_fields
from controller.openflow.replies import InstalledFlow, InstalledGroup
from controller.pipeline.flows import Flow, Group, Learn, SwitchState
from controller.sync.plan import Plan
from controller.sync.state import WireFlow, WireGroup, WireKey, WireLearned, WireMeter, WireState


def to_wire(state: SwitchState) -> WireState:
    """Return the desired state in the form in which a switch will report it."""
    flows = [flow_to_wire(flow) for flow in state.flows.values()]
    groups = [_group_to_wire(group) for group in state.groups.values()]
    learned = frozenset(
        WireLearned(action.table, action.cookie, learned_instructions(action))
        for flow in state.flows.values()
        for action in flow.actions
        if isinstance(action, Learn)
    )
    meters = {each.meter_id: messages.meter_to_wire(each) for each in state.meters.values()}
    return WireState(
        {flow.key: flow for flow in flows}, {group.group_id: group for group in groups}, learned, meters
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
    flow_by_key = {}
    for flow in flows:
        key = WireKey(flow.table, flow.priority, flow.fields)
        flow_by_key[key] = WireFlow(key, flow.cookie, flow.instructions, flow.wire_fields)
    return WireState(
        flow_by_key,
        {g.group_id: WireGroup(g.group_id, g.kind, g.buckets) for g in groups},
        meters={each.meter_id: each for each in meters},
    )


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
