"""Commands about tokens: access to the API over TCP."""

from dataclasses import dataclass, field

from controller.runtime.commands.base import Command
from controller.runtime.principals import AccessRole, Principal


@dataclass(frozen=True, slots=True)
class AddToken(Command[str]):
    """Return a new token, which cannot be shown again. Raises `TokenExists` or `StoreError`."""

    name: str
    role: AccessRole


@dataclass(frozen=True, slots=True)
class EndToken(Command[bool]):
    """Revoke a token; return whether there was one. Raises `StoreError`."""

    name: str


@dataclass(frozen=True, slots=True)
class ListTokens(Command[tuple[Principal, ...]]):
    """List the principals that have a token."""


@dataclass(frozen=True, slots=True)
class IdentifyBearer(Command[Principal | None]):
    """Return the principal that a token belongs to. None: it is not valid. Logs never show the token."""

    token: str = field(repr=False)
