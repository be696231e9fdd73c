"""Handles the commands about tokens."""

from controller.runtime.commands.tokens import AddToken, EndToken, IdentifyBearer, ListTokens
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.handlers.base import Handlers
from controller.runtime.principals import Principal


def add_token(core: RuntimeCore, command: AddToken, context: Context) -> str:
    return core.tokens.make(command.name, command.role)


def end_token(core: RuntimeCore, command: EndToken, context: Context) -> bool:
    return core.tokens.end(command.name)


def list_tokens(core: RuntimeCore, command: ListTokens, context: Context) -> tuple[Principal, ...]:
    return tuple(core.tokens.bearers.values())


def identify_bearer(core: RuntimeCore, command: IdentifyBearer, context: Context) -> Principal | None:
    return core.tokens.bearer(command.token)


HANDLERS: Handlers = {
    AddToken: add_token,
    EndToken: end_token,
    ListTokens: list_tokens,
    IdentifyBearer: identify_bearer,
}
