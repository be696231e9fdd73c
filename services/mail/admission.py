"""Decides which clients get a session, and limits concurrent sessions. Pure."""

from collections import Counter
from dataclasses import dataclass

from services.base.settings import Address
from services.mail.settings import Settings, Tenant
from services.smtp import catalogue

Keys = tuple[object, ...]  # what a session counts towards: all, its tenant, its client, its client's network


@dataclass(frozen=True, slots=True)
class Caps:
    """Maximum concurrent sessions. Over a cap, the client gets a 421 and tries again later.

    The policy may set a lower total for each gateway, by its name.
    """

    total: int = 5_000
    per_tenant: int = 2_000
    per_client: int = 100
    per_neighbourhood: int = 500  # a /24, or a /64


class Admission:
    """Counts open sessions."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._open: Counter[object] = Counter()

    @staticmethod
    def keys_of(client: Address, tenant: Tenant | None) -> Keys:
        network = client.packed[: 3 if client.version == 4 else 8]
        return ("all", tenant and tenant.name, client, network)

    def enter(self, keys: Keys) -> None:
        for key in keys:
            self._open[key] += 1

    def leave(self, keys: Keys) -> None:
        for key in keys:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]

    def refusal(self, keys: Keys, limit: int | None) -> str:
        """Return why a session is refused, or an empty text. `limit`: the policy's, for this gateway."""
        caps = self._caps
        total, *others = keys
        if self._open[total] >= min(caps.total, limit or caps.total):
            return catalogue.FULL
        limits = (caps.per_tenant, caps.per_client, caps.per_neighbourhood)
        is_crowded = any(self._open[key] >= most for key, most in zip(others, limits, strict=True))
        return catalogue.TOO_BUSY if is_crowded else ""


def cannot_be_a_client(client: Address, tenant: Tenant, settings: Settings) -> bool:
    """Return whether a client cannot have this address: the gateway would have to connect from it."""
    if client in settings.trusted_sources_refused or client.is_multicast or client.is_unspecified:
        return True
    return settings.transparent and any(client in prefix for prefix in tenant.prefixes)
