"""Handles the commands about what switches hold at this moment."""

from collections.abc import Mapping

from controller.runtime.commands.receipts import CountFlows, ReadCounts
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.handlers.base import Handlers
from controller.sync.receipts import Sighting


def count_flows(core: RuntimeCore, command: CountFlows, context: Context) -> int:
    return core.switches.look_up(command.cookies, core.used_parts.under(command.cookies))


def read_counts(core: RuntimeCore, command: ReadCounts, context: Context) -> Mapping[str, Sighting] | None:
    return core.switches.look_ups.take(command.number, is_last=command.is_last)


HANDLERS: Handlers = {
    CountFlows: count_flows,
    ReadCounts: read_counts,
}
