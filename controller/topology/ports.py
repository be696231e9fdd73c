"""Ports of switches that the policy uses, and ports of servers that it publishes. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.policy.model import Policy, PortRef

SMTP_PORT = 25


@dataclass(frozen=True, slots=True)
class PortUse:
    """What is connected to a port; on a trunk there is no MAC. `rule`: its path in the policy."""

    at: PortRef
    name: str
    mac: str = ""
    rule: str = ""


def ports_of(policy: Policy) -> Iterator[PortUse]:
    for uplink in policy.uplinks:
        yield PortUse(uplink.at, uplink.name, uplink.mac, f"uplinks.{uplink.name}")
    for tenant in policy.tenants:
        for gateway in tenant.gateways:
            rule = f"tenants.{tenant.name}.gateways.{gateway.name}"
            yield PortUse(gateway.at, gateway.name, gateway.mac, rule)
    for pool in policy.pools:
        for member in pool.members:
            rule = f"pools.{pool.name}.members.{member.name}"
            yield PortUse(member.at, member.name, member.mac, rule)
    for link in policy.links:
        rule = "links.{}-{}".format(*sorted((link.a, link.b)))
        yield PortUse(link.a, f"trunk to {link.b.switch}", rule=rule)
        yield PortUse(link.b, f"trunk to {link.a.switch}", rule=rule)


def ports_by_switch(policy: Policy) -> dict[str, dict[int, PortUse]]:
    """Return what is connected to each port, by switch; for every switch of the policy."""
    found: dict[str, dict[int, PortUse]] = {switch.name: {} for switch in policy.switches}
    for use in ports_of(policy):
        found[use.at.switch][use.at.port] = use
    return found


def published_doors(policy: Policy) -> Iterator[tuple[str, int]]:
    """Yield address and port of every service that a tenant publishes, including mail."""
    for tenant in policy.tenants:
        for server in tenant.mail.servers if tenant.mail else ():
            yield str(server), SMTP_PORT
        for service in tenant.services:
            yield from ((str(server), port) for server in service.servers for port in service.ports)


def mac_number(mac: str) -> int:
    return int(mac.replace(":", ""), 16)
