"""How a response waits for a proof: a policy is applied once it is proved, or the response says it waits."""

from controller.api.context import Caller
from controller.runtime.commands.base import Command
from controller.runtime.commands.policy import PolicyApplied
from controller.runtime.gate import ProofPending

PATIENCE_S = 5.0
_STEP_S = 0.005


def apply_when_proved(ask: Caller, command: Command[PolicyApplied]) -> PolicyApplied:
    """Apply a policy as soon as it is proved. Raise `ProofPending` if that takes longer than `PATIENCE_S`."""
    outside = ask.outside
    deadline = outside.now() + PATIENCE_S
    while True:
        try:
            return ask(command)
        except ProofPending:
            if outside.now() >= deadline:
                raise
        outside.sleep(_STEP_S)
