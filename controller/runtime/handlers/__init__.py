"""The one handler of each command, by the command's type."""

from controller.runtime.handlers import (
    antivirus,
    drift,
    members,
    policy,
    proofs,
    receipts,
    sessions,
    suspicion,
    switches,
    tokens,
)
from controller.runtime.handlers.base import Handlers

_SUBJECTS = (policy, switches, proofs, drift, members, suspicion, receipts, tokens, antivirus, sessions)
HANDLERS: Handlers = {kind: handler for subject in _SUBJECTS for kind, handler in subject.HANDLERS.items()}
