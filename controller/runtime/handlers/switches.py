"""Handles the commands about the edge as a whole."""

from controller.pools.unheard import unheard_members
from controller.runtime.accepted import Accepted
from controller.runtime.commands.switches import (
    AcceptBridge,
    EdgeStatus,
    ReadSettled,
    ReadStatus,
    Settling,
    SwitchStatus,
)
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.drift import watched
from controller.runtime.handlers.base import Handlers
from controller.runtime.switch_record import SwitchRecord
from controller.runtime.unknown import unknown_state
from controller.sync.outcomes import FIRST_RESERVED_PORT
from controller.topology.port_ranges import describe_ports
from controller.topology.ports import ports_of


def read_settled(core: RuntimeCore, command: ReadSettled, context: Context) -> Settling:
    is_held_back = command.with_plans and core.in_force.gate.is_holding
    if is_held_back or not core.is_caught_up or core.switches.is_any_busy:
        return Settling.WAITING
    is_whole = core.switches.is_settled and not core.switches.is_any_away
    return Settling.CONFIRMED if is_whole else Settling.PARTLY


def read_status(core: RuntimeCore, command: ReadStatus, context: Context) -> EdgeStatus | None:
    accepted = core.accepted
    if accepted is None:
        return None
    return EdgeStatus(
        accepted.revision,
        accepted.file,
        tuple(
            _switch_status(core, context, dpid, record, accepted)
            for dpid, record in sorted(core.switches.records.items())
        ),
        tuple(sorted(core.switches.strangers)),
        tuple(f"{each.pool} {line}" for each in core.in_force.empty_pools.troubles for line in each.lines),
        unheard_members(context.now, core.roster.members, core.roster.resting),
        core.trunks.describe(context.now),
        dict(core.floods.flooded),
        tuple(str(each) for each in core.bridges.unwatched() if not each.is_wrong),
        core.in_force.gate.is_holding,
    )


def accept_bridge(core: RuntimeCore, command: AcceptBridge, context: Context) -> bool:
    return core.accept_bridge(context.now, command.switch)


def _switch_status(
    core: RuntimeCore, at: Context, dpid: int, record: SwitchRecord, accepted: Accepted
) -> SwitchStatus:
    session, is_connected = record.session, record.channel is not None
    differences = core.drift.ledger.count_open(record.name)
    return SwitchStatus(
        session.name,
        dpid,
        is_connected,
        session.phase.value,
        session.confirmed_revision if is_connected else 0,
        len(accepted.wires[session.name].flows),
        session.flows_sent,
        str(session.last_plan),
        (
            *_problems(record, accepted),
            *core.refusals(dpid),
            *_unknown(at.now, record),
            *_drift(differences),
            *_unwatched(core, record),
        ),
        record.is_confirmed and not core.drift.ledger.is_wrong(record.name),
        watched(at.now, record) if is_connected else "",
        differences,
        core.drift.repairs(at.utc, record.name),
        is_connected and _is_busy(core, at.now, dpid, record, accepted),
    )


def _is_busy(core: RuntimeCore, now: float, dpid: int, record: SwitchRecord, accepted: Accepted) -> bool:
    is_held_back = record.session.desired_revision != accepted.revision
    is_put_right = core.bridges.is_busy(now, record.name) or core.settings.is_busy(now, dpid)
    return is_held_back or record.is_busy or is_put_right


def _problems(record: SwitchRecord, accepted: Accepted) -> tuple[str, ...]:
    used_by = {use.at.port: use.name for use in ports_of(accepted.policy) if use.at.switch == record.name}
    missing = {port: used_by.get(port, "unused") for port in record.missing_ports}
    down = {
        port.number: used_by.get(port.number, port.name)
        for port in record.ports.values()
        if port.is_down and port.number < FIRST_RESERVED_PORT
    }
    last_error = record.session.last_error if not record.session.refused.count else ""
    return (
        *describe_ports(missing, "in the policy, but not on the switch"),
        *describe_ports(down, "down"),
        *([last_error] if last_error else ()),
    )


def _unknown(now: float, record: SwitchRecord) -> list[str]:
    """Return why a connected switch is not confirmed although nothing is on its way."""
    is_known = record.channel is None or not record.session.is_read
    return [] if is_known or not (reason := unknown_state(now, record)) else [str(reason)]


def _drift(differences: int) -> list[str]:
    if not differences:
        return []
    is_one = differences == 1
    said = "one difference" if is_one else f"{differences} differences"
    return [f"{said} from what it should hold; see: postern drift"]


def _unwatched(core: RuntimeCore, record: SwitchRecord) -> list[str]:
    return [str(each) for each in core.bridges.unwatched() if each.is_wrong and each.switch == record.name]


HANDLERS: Handlers = {
    AcceptBridge: accept_bridge,
    ReadSettled: read_settled,
    ReadStatus: read_status,
}
