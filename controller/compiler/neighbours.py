"""All neighbours on edge ports of switches: backbone routers, tenants' gateways, hosts of pools."""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.ids import party_id
from controller.pipeline.fields import Role
from controller.policy.model import Attachment, Policy, PoolKind, PortRef
from controller.topology.ports import mac_number

ROLE_BY_KIND = {
    PoolKind.MAIL_PROXY: Role.GATEWAY,
    PoolKind.SCANNER: Role.GATEWAY,
    PoolKind.RESPONDER: Role.RESPONDER,
    PoolKind.DECOY: Role.DECOY,
    PoolKind.ANTIVIRUS: Role.ANTIVIRUS,
}


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Neighbours with the same `kin` lead to the same place and may replace each other; empty: none may."""

    mac: int
    at: PortRef
    role: Role
    party: int
    path: str
    kin: str = ""
    families: frozenset[int] = frozenset()


def neighbours_of(policy: Policy) -> Iterator[Neighbour]:
    for uplink in policy.uplinks:
        path = f"uplinks.{uplink.name}"
        yield _router(uplink, Role.BACKBONE, party_id(path), path, "uplinks")
    for tenant in policy.tenants:
        party = party_id(f"tenants.{tenant.name}")
        kin = f"tenants.{tenant.name}.gateways"
        for gateway in tenant.gateways:
            yield _router(gateway, Role.TENANT, party, f"{kin}.{gateway.name}", kin)
    for pool in policy.pools:
        if role := ROLE_BY_KIND.get(pool.kind):
            party = party_id(f"pools.{pool.name}")
            for member in pool.members:
                path = f"pools.{pool.name}.members.{member.name}"
                yield Neighbour(mac_number(member.mac), member.at, role, party, path)


def _router(attachment: Attachment, role: Role, party: int, path: str, kin: str) -> Neighbour:
    families = frozenset(address.version for address in attachment.edge)
    return Neighbour(mac_number(attachment.mac), attachment.at, role, party, path, kin, families)
