"""Commands about tokens: access to the API over TCP."""

from dataclasses import dataclass, field

from controller.runtime.commands.base import Change, Command
from controller.runtime.principals import AccessRole, Principal


@dataclass(frozen=True, slots=True)
class AddToken(Change[str]):
    """Return a new token, which cannot be shown again. Raises `TokenExists` or `StoreError`."""

    name: str
    role: AccessRole

    @property
    def subject(self) -> str:
        return f"{self.name}, role {self.role.value}"


@dataclass(frozen=True, slots=True)
class EndToken(Change[bool]):
    """Revoke a token; return whether there was one. Raises `StoreError`."""

    name: str

    @property
    def subject(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class ListTokens(Command[tuple[Principal, ...]]):
    """List the principals that have a token."""


@dataclass(frozen=True, slots=True)
class IdentifyBearer(Command[Principal | None]):
    """Return the principal that a token belongs to. None: it is not valid. Logs never show the token."""

    token: str = field(repr=False)
