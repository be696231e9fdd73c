"""The one handler of each command, by the command's type."""

from controller.runtime.handlers import antivirus, members, policy, sessions, suspicion, switches, tokens
from controller.runtime.handlers.base import Handlers

HANDLERS: Handlers = {
    kind: handler
    for subject in (policy, switches, members, suspicion, tokens, antivirus, sessions)
    for kind, handler in subject.HANDLERS.items()
}
