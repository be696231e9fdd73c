"""Tokens for the API over TCP; only their hashes are kept."""

import hashlib
import secrets
from collections.abc import Mapping

from controller.runtime.principals import AccessRole, Principal
from controller.store import Store, TokenRecord

_TOKEN_BYTES = 32


class TokenExists(LookupError):
    """There is already a token with this name; the text is the name."""


class Tokens:
    """Raise `StoreError` if a change cannot be stored; nothing has changed in that case."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._bearer_by_hash = {
            each.digest: Principal(each.name, AccessRole(each.role)) for each in store.tokens()
        }

    @property
    def bearers(self) -> Mapping[str, Principal]:
        """Return all bearers by name."""
        return {bearer.name: bearer for bearer in self._bearer_by_hash.values()}

    def make(self, name: str, role: AccessRole) -> str:
        """Return a new token, which cannot be shown again. Raise `TokenExists`."""
        if name in self.bearers:
            raise TokenExists(name)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._store.put_token(TokenRecord(name, role.value, _digest(token)))
        self._bearer_by_hash[_digest(token)] = Principal(name, role)
        return token

    def end(self, name: str) -> bool:
        """Revoke a token; return whether there was one."""
        self._store.delete_token(name)
        before = len(self._bearer_by_hash)
        self._bearer_by_hash = {key: each for key, each in self._bearer_by_hash.items() if each.name != name}
        return len(self._bearer_by_hash) < before

    def bearer(self, token: str) -> Principal | None:
        return self._bearer_by_hash.get(_digest(token))


def _digest(token: str) -> str:
    """A token is 256 random bits, so a plain hash reveals nothing."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
