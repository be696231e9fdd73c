"""Ports of switches that the policy uses, and ports of servers that it publishes. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.policy.model import Policy, PortRef

SMTP_PORT = 25


@dataclass(frozen=True, slots=True)
class PortUse:
    """What is connected to a port; on a trunk there is no MAC."""

    at: PortRef
    name: str
    mac: str = ""


def ports_of(policy: Policy) -> Iterator[PortUse]:
    for uplink in policy.uplinks:
        yield PortUse(uplink.at, uplink.name, uplink.mac)
    for tenant in policy.tenants:
        for gateway in tenant.gateways:
            yield PortUse(gateway.at, gateway.name, gateway.mac)
    for pool in policy.pools:
        for member in pool.members:
            yield PortUse(member.at, member.name, member.mac)
    for link in policy.links:
        yield PortUse(link.a, f"trunk to {link.b.switch}")
        yield PortUse(link.b, f"trunk to {link.a.switch}")


def published_doors(policy: Policy) -> Iterator[tuple[str, int]]:
    """Yield address and port of every service that a tenant publishes, including mail."""
    for tenant in policy.tenants:
        for server in tenant.mail.servers if tenant.mail else ():
            yield str(server), SMTP_PORT
        for service in tenant.services:
            yield from ((str(server), port) for server in service.servers for port in service.ports)


def mac_number(mac: str) -> int:
    return int(mac.replace(":", ""), 16)
