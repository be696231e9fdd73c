"""What survives a restart. One interface; SQLite is the default."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from controller.policy.model import Network
from controller.suspicion.allow import Allowance
from controller.suspicion.decision import Decision
from controller.suspicion.scores import Offender


@dataclass(frozen=True, slots=True)
class AcceptedPolicy:
    """A policy that passed all checks when it was accepted, with its text."""

    revision: int  # counts from 1, never reused
    file: str
    text: str


@dataclass(frozen=True, slots=True)
class TokenRecord:
    name: str
    role: str
    digest: str  # SHA-256 of the token, in hex


class PoolSecret(NamedTuple):
    """A secret that only the members of a pool share."""

    secret: str  # 32 bytes in hex
    since: int  # Unix seconds


class Store(Protocol):
    def last_policy(self) -> AcceptedPolicy | None:
        """Return the policy that was accepted last, or None if there is none."""

    def accept_policy(self, file: str, text: str) -> AcceptedPolicy:
        """Store a policy; the same text keeps its revision. Raise `StoreError`."""

    def drained(self) -> frozenset[str]:
        """Return the paths of the members that an operator has drained."""

    def set_drained(self, path: str, is_drained: bool) -> None:
        """Store that a member is drained, or no longer drained. Raise `StoreError`."""

    def network(self) -> dict[str, Any] | None:
        """Return what `put_network` stored last. None: nothing. Raise `StoreError`."""

    def put_network(self, facts: Mapping[str, Any]) -> None:
        """Store the state of members and ports. Raise `StoreError`."""

    def decisions(self) -> Iterable[Decision]:
        """Return all stored decisions, including those that have ended since."""

    def change_decisions(self, put: Sequence[Decision], ended: Sequence[Decision]) -> None:
        """Store some decisions and delete others, all or nothing. Raise `StoreError`."""

    def offenders(self) -> Iterable[Offender]:
        """Return the sources that the edge itself has made decisions about."""

    def change_offenders(self, put: Sequence[Offender], gone: Sequence[Network]) -> None:
        """Store some offenders and delete others, all or nothing. Raise `StoreError`."""

    def allowances(self) -> Iterable[Allowance]:
        """Return the allow-list."""

    def put_allowance(self, allowance: Allowance) -> None:
        """Raise `StoreError`."""

    def delete_allowance(self, number: int) -> None:
        """Raise `StoreError`."""

    def antivirus_clients(self) -> Iterable[tuple[str, dict[str, Any], str, str]]:
        """Return (key, facts, server, UTC) of every client of the anti-virus servers."""

    def put_antivirus_clients(self, rows: Sequence[tuple[str, Mapping[str, Any], str, str]]) -> None:
        """Store the last reports of clients, all or nothing. Raise `StoreError`."""

    def bridges(self) -> Iterable[tuple[int, dict[str, Any]]]:
        """Return (datapath id, facts) of each bridge as it was when it was last good."""

    def put_bridge(self, dpid: int, facts: Mapping[str, Any]) -> None:
        """Raise `StoreError`."""

    def delete_bridge(self, dpid: int) -> None:
        """Raise `StoreError`."""

    def port_names(self) -> Iterable[tuple[int, dict[str, Any]]]:
        """Return (datapath id, names by port number) of each switch: which interface belongs to each port."""

    def put_port_names(self, dpid: int, names: Mapping[str, Any]) -> None:
        """Raise `StoreError`."""

    def delete_port_names(self, dpid: int) -> None:
        """Raise `StoreError`."""

    def pool_secret(self, pool: str) -> PoolSecret:
        """Return a pool's secret, which is generated at the first call. Raise `StoreError`."""

    def tokens(self) -> Iterable[TokenRecord]:
        """Return the tokens for the API over TCP."""

    def put_token(self, token: TokenRecord) -> None:
        """Raise `StoreError`."""

    def delete_token(self, name: str) -> None:
        """Raise `StoreError`."""


class StoreError(Exception):
    """The database cannot be read or written; the text says why, and what to do."""
