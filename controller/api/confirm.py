"""How an answer waits for the switches: what it says is then so, or it says that it is not so yet."""

from controller.api.context import Caller
from controller.runtime.commands.switches import ReadSettled

PATIENCE_S = 2.0
STEP_S = 0.002


def await_switches(ask: Caller) -> bool:
    """Wait up to `PATIENCE_S` for all connected switches to carry out what is wanted; say whether they do."""
    outside = ask.outside
    deadline = outside.now() + PATIENCE_S
    while not (is_settled := ask(ReadSettled())) and outside.now() < deadline:
        outside.sleep(STEP_S)
    return is_settled
