"""How a response waits for the switches: a change is confirmed, or the response says that it is not yet."""

from controller.api.context import Caller
from controller.runtime.commands.switches import ReadSettled, Settling

PATIENCE_S = 2.0
STEP_S = 0.002


def await_switches(ask: Caller, with_plans: bool = False) -> bool:
    """Wait up to `PATIENCE_S` for connected switches; return whether all switches have confirmed.

    A switch that is not connected is not waited for, and confirms nothing. `with_plans`: also wait for a plan
    that is being proved.
    """
    outside = ask.outside
    deadline = outside.now() + PATIENCE_S
    while (settling := ask(ReadSettled(with_plans))) is Settling.WAITING and outside.now() < deadline:
        outside.sleep(STEP_S)
    return settling is Settling.CONFIRMED
