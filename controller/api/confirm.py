"""How a response waits for the switches: a change is confirmed, or the response says that it is not yet."""

from controller.api.context import Caller
from controller.runtime.commands.switches import ReadSettled

PATIENCE_S = 2.0
STEP_S = 0.002


def await_switches(ask: Caller) -> bool:
    """Wait up to `PATIENCE_S` until all connected switches hold the desired state; return whether they do."""
    outside = ask.outside
    deadline = outside.now() + PATIENCE_S
    while not (is_settled := ask(ReadSettled())) and outside.now() < deadline:
        outside.sleep(STEP_S)
    return is_settled
