"""Table `home`: one switch, a tenant's home, tracks all its connections.

A packet passes its tenant's home regardless of where it enters and in which direction
it goes, so conntrack sees both directions even if they use different uplinks or
gateways. The sender's MAC does not change: it tells the home which neighbour sent the
packet. The switch of the proxy that asks for a scan tracks the scan.
"""

from collections.abc import Iterator

from controller.compiler.antivirus_clients import asking_scanners, translated
from controller.compiler.view import SMTP_PORT, SwitchView, destination_is, source_is, tcp_from, tcp_to
from controller.ids import party_id
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import Field, Role
from controller.pipeline.flows import Flow, Match, SetField, match
from controller.pipeline.priorities import longest_prefix
from controller.pipeline.tables import Table
from controller.policy.model import Network, PoolKind


def build_flows(view: SwitchView) -> Iterator[Flow]:
    roles = {neighbour.role for neighbour in view.neighbours}
    for role in sorted(roles):
        yield Flow(Table.HOME, priorities.LOW, match((f.ROLE, role)), (), Table.TRACK, "switches")
    for tenant, home in view.tenants_elsewhere:
        path = f"tenants.{tenant.name}"
        if any(view.is_here(gateway) for gateway in tenant.gateways):
            wanted = match((f.ROLE, Role.TENANT), (f.PARTY, party_id(path)))
            yield _carry(priorities.NORMAL, wanted, home, f"{path}.home")
        for prefix in tenant.prefixes:
            because = f"{path}.prefixes.{prefix}"
            if Role.BACKBONE in roles:
                wanted = match((f.ROLE, Role.BACKBONE), *destination_is(prefix))
                yield _carry(longest_prefix(priorities.NORMAL, prefix.prefixlen), wanted, home, because)
            for role in sorted(roles & {Role.GATEWAY, Role.RESPONDER}):
                yield _to_clients(role, prefix, home, because, tcp_from(SMTP_PORT))
            if Role.DECOY in roles:
                yield _to_clients(Role.DECOY, prefix, home, because)
            if Role.GATEWAY in roles:
                yield _to_servers(prefix, home, because)
    yield from _scan_answers(view)
    if Role.ANTIVIRUS in roles:
        yield from _update_answers(view)


def _to_clients(
    role: Role, prefix: Network, home: int, because: str, layer4: tuple[tuple[Field, int], ...] = ()
) -> Flow:
    wanted = match((f.ROLE, role), *source_is(prefix), *layer4)
    return _carry(longest_prefix(priorities.NORMAL, prefix.prefixlen), wanted, home, because)


def _to_servers(prefix: Network, home: int, because: str) -> Flow:
    wanted = match((f.ROLE, Role.GATEWAY), *destination_is(prefix), *tcp_to(SMTP_PORT))
    return _carry(longest_prefix(priorities.LOW, prefix.prefixlen), wanted, home, because)


def _scan_answers(view: SwitchView) -> Iterator[Flow]:
    for scanners in view.gateway_pools:
        if scanners.kind is not PoolKind.SCANNER:
            continue
        for pool in view.policy.pools:
            if scanners not in view.scanners_asked_by(pool):
                continue
            for member in pool.members:
                if view.is_here(member):
                    continue
                home = view.whole.mac_by_switch[member.at.switch]
                for vip in scanners.vip:
                    for address in member.addresses:
                        if address.version != vip.version:
                            continue
                        _, source = source_is(vip)
                        wanted = match(
                            (f.ROLE, Role.GATEWAY),
                            *destination_is(address),
                            source,
                            *tcp_from(scanners.port),
                        )
                        because = f"pools.{pool.name}.members.{member.name}"
                        yield _carry(priorities.RAISED, wanted, home, because)


def _update_answers(view: SwitchView) -> Iterator[Flow]:
    """A reply of an anti-virus server goes to the tenant's home, or to the scanner's switch."""
    for tenant, home in view.tenants_elsewhere:
        for each in translated(view.policy, tenant):
            wanted = match((f.ROLE, Role.ANTIVIRUS), *destination_is(each.seen_as))
            yield _carry(priorities.RAISED, wanted, home, f"{each.path}.as.{each.seen_as}")
    for scanner in asking_scanners(view.policy):
        if not view.is_here(scanner.member):
            home = view.whole.mac_by_switch[scanner.member.at.switch]
            wanted = match((f.ROLE, Role.ANTIVIRUS), *destination_is(scanner.address))
            because = f"pools.{scanner.scanners.name}.members.{scanner.member.name}"
            yield _carry(priorities.RAISED, wanted, home, because)


def _carry(priority: int, wanted: Match, home: int, because: str) -> Flow:
    return Flow(Table.HOME, priority, wanted, (SetField(f.ETH_DST, home),), Table.FORWARD, because)
