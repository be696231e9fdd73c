"""Handles the commands about drift."""

from dataclasses import replace

from controller.runtime.commands.drift import EdgeDrift, ReadDrift
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.handlers.base import Handlers


def read_drift(core: RuntimeCore, command: ReadDrift, context: Context) -> EdgeDrift | None:
    accepted = core.accepted
    if accepted is None:
        return None
    unwatched = {each.switch: each for each in core.bridges.unwatched()}
    dpids = {record.name: dpid for dpid, record in core.switches.records.items()}
    switches = []
    for each in core.drift.report(context.now, context.utc, accepted):
        bridge = unwatched.get(each.switch)
        reason, is_blind = (str(bridge), bridge.is_wrong) if bridge else ("", False)
        refusal = "; ".join(core.refusals(dpids[each.switch]))
        switches.append(replace(each, refusal=refusal, unwatched=reason, is_blind=is_blind))
    return EdgeDrift(accepted.policy.drift, tuple(switches))


HANDLERS: Handlers = {ReadDrift: read_drift}
