"""Decides which clients get a session, and limits concurrent sessions. Pure."""

from dataclasses import dataclass

from common.special_addresses import NO_HOSTS
from services.base.sessions import ALL, SessionLimits
from services.base.settings import Address
from services.mail.settings import Settings, Tenant


@dataclass(frozen=True, slots=True)
class MailCaps:
    """Maximum concurrent sessions. Over a cap, the client gets a 421 and tries again later.

    The policy may set a lower total for each gateway, by its name.
    """

    total: int = 5_000
    per_tenant: int = 2_000
    per_client: int = 100
    per_network: int = 500  # a /24, or a /64

    def limits(self, client: Address, tenant: Tenant, of_policy: int | None) -> SessionLimits:
        """Return what a session counts towards, and how many of each there may be."""
        network = client.packed[: 3 if client.version == 4 else 8]
        return {
            ALL: min(self.total, of_policy or self.total),
            ("tenant", tenant.name): self.per_tenant,  # one may be named `all`
            client: self.per_client,
            network: self.per_network,
        }


def cannot_be_a_client(client: Address, tenant: Tenant, settings: Settings) -> bool:
    """Return whether a client cannot have this address: the gateway would have to connect from it.

    A client on this machine can have a loopback address; from elsewhere, no packet with one gets here.
    """
    if client in settings.trusted_sources_refused:
        return True
    if any(client in network for network in NO_HOSTS) and not client.is_loopback:
        return True
    return settings.transparent and any(client in prefix for prefix in tenant.prefixes)
