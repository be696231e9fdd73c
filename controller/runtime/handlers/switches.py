"""Handles the commands about the edge as a whole."""

from controller.runtime.accepted import Accepted
from controller.runtime.commands.switches import EdgeStatus, ReadSettled, ReadStatus, SwitchStatus
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.handlers.base import Handlers
from controller.runtime.switches import SwitchRecord
from controller.topology.ports import ports_of

_FIRST_RESERVED_PORT = 0xFFFF_FF00  # OpenFlow 1.4, 7.2.1: OFPP_MAX


def read_settled(core: RuntimeCore, command: ReadSettled, context: Context) -> bool:
    return core.switches.is_settled


def read_status(core: RuntimeCore, command: ReadStatus, context: Context) -> EdgeStatus | None:
    accepted = core.accepted
    if accepted is None:
        return None
    return EdgeStatus(
        accepted.revision,
        accepted.file,
        tuple(
            _switch_status(dpid, record, accepted) for dpid, record in sorted(core.switches.records.items())
        ),
        tuple(sorted(core.switches.strangers)),
        tuple(f"{each.pool} {line}" for each in core.empty_pools.troubles for line in each.lines),
        tuple(sorted(map(str, core.trunks.troubles))),
        dict(core.floods.flooded),
    )


def _switch_status(dpid: int, record: SwitchRecord, accepted: Accepted) -> SwitchStatus:
    session, is_connected = record.session, record.channel is not None
    return SwitchStatus(
        session.name,
        dpid,
        is_connected,
        session.phase.value,
        session.confirmed_revision if is_connected else 0,
        len(accepted.wires[session.name].flows),
        session.flows_sent,
        str(session.last_plan),
        _problems(record, accepted),
    )


def _problems(record: SwitchRecord, accepted: Accepted) -> tuple[str, ...]:
    used_by = {use.at.port: use.name for use in ports_of(accepted.policy) if use.at.switch == record.name}
    problems = [
        f"port {port} ({used_by.get(port, 'unused')}) is in the policy, but not on the switch"
        for port in record.missing_ports
    ]
    problems += [
        f"port {port.number} ({used_by.get(port.number, port.name)}) is down"
        for port in record.ports.values()
        if port.is_down and port.number < _FIRST_RESERVED_PORT
    ]
    last_error = record.session.last_error
    return (*problems, last_error) if last_error else tuple(problems)


HANDLERS: Handlers = {
    ReadSettled: read_settled,
    ReadStatus: read_status,
}
