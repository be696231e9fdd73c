"""How an answer waits for the switches: what it says is then so, or it says that it is not so yet."""

from typing import Any

from controller.api.context import Ask, Outside
from controller.runtime import Runtime

PATIENCE_S = 2.0
STEP_S = 0.002


def await_switches(ask: Ask[Any], outside: Outside) -> bool:
    """Wait a moment for all connected switches to carry out what is wanted; say whether they do."""
    deadline = outside.now() + PATIENCE_S
    while not (settled := bool(ask(_is_settled))) and outside.now() < deadline:
        outside.sleep(STEP_S)
    return settled


def _is_settled(runtime: Runtime) -> bool:
    return runtime.switches.is_settled
