"""Who may use the API over TCP: a token for each, of which only the hash is kept."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from controller.store import Store, TokenRecord

_TOKEN_BYTES = 32


class Role(StrEnum):
    OPERATOR = "operator"  # everything
    SENSOR = "sensor"  # evidence, and decisions under its own name as origin
    MEMBER = "member"  # what a pool's member, whose path (POOL.NAME) is the name, needs on a host of its own
    BOUNCER = "bouncer"  # reads decisions as from a CrowdSec local API


@dataclass(frozen=True, slots=True)
class Bearer:
    name: str
    role: Role


class Tokens:
    """Raise `StoreError` when a change cannot be kept; nothing has changed then."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bearer_by_hash = {each.digest: Bearer(each.name, Role(each.role)) for each in store.tokens()}

    @property
    def bearers(self) -> Mapping[str, Bearer]:
        """Return all bearers by name."""
        return {bearer.name: bearer for bearer in self._bearer_by_hash.values()}

    def make(self, name: str, role: Role) -> str:
        """Return a new token, which is shown this once. Raise `KeyError` if the name has one already."""
        if name in self.bearers:
            raise KeyError(name)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._store.put_token(TokenRecord(name, role.value, _digest(token)))
        self._bearer_by_hash[_digest(token)] = Bearer(name, role)
        return token

    def end(self, name: str) -> bool:
        """Let a token be of no use any more; say whether there was one."""
        self._store.delete_token(name)
        before = len(self._bearer_by_hash)
        self._bearer_by_hash = {key: each for key, each in self._bearer_by_hash.items() if each.name != name}
        return len(self._bearer_by_hash) < before

    def bearer(self, token: str) -> Bearer | None:
        return self._bearer_by_hash.get(_digest(token))


def _digest(token: str) -> str:
    """A token is 256 random bits, so a plain hash gives nothing away."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
