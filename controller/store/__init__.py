"""What survives a restart. One interface; SQLite is the default."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AcceptedPolicy:
    """A policy that once passed every check, with the text it was read from."""

    revision: int  # counts from 1, never reused
    file: str
    text: str


class Store(Protocol):
    def last_policy(self) -> AcceptedPolicy | None:
        """Return the policy accepted last, or None on a fresh disk."""

    def accept_policy(self, file: str, text: str) -> AcceptedPolicy:
        """Keep a policy; the same text again keeps its revision. Raise `StoreError`."""

    def drained(self) -> frozenset[str]:
        """Return the paths of the members that an operator has drained."""

    def set_drained(self, path: str, is_drained: bool) -> None:
        """Keep that a member is drained, or is not any more. Raise `StoreError`."""


class StoreError(Exception):
    """The disk or database refused; the text says what and what to do."""
