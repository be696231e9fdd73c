"""Checks of addresses: one owner each, servers inside their tenant's prefixes, all families served."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import product

from common.config.kinds import listed
from common.config.report import ErrorReport
from controller.policy.checks.names import check_distinct
from controller.policy.model import Address, Network, Policy, Tenant


def check_addresses(policy: Policy, report: ErrorReport) -> None:
    _check_prefixes(policy, report)
    _check_own_addresses(policy, report)
    for tenant in policy.tenants:
        _check_gateways(tenant, report)
        _check_servers(tenant, report)
    _check_families(policy, report)


def _check_servers(tenant: Tenant, report: ErrorReport) -> None:
    """Servers of mail and of other services must be inside their tenant's prefixes."""
    path, is_own = f"tenants.{tenant.name}", _membership(tenant.prefixes)
    for service in tenant.services:
        _check_inside(tenant, service.servers, is_own, f"{path}.services.{service.name}.servers", report)
    if tenant.mail:
        _check_inside(tenant, tenant.mail.servers, is_own, f"{path}.mail.servers", report)


def _check_prefixes(policy: Policy, report: ErrorReport) -> None:
    """If prefixes overlap, two neighbours in sorted order do: a prefix sorts before all that it covers."""
    prefixes = [
        (prefix, f"tenants.{tenant.name}.prefixes.{prefix}")
        for tenant in policy.tenants
        for prefix in tenant.prefixes
    ]
    covering: list[tuple[Network, str]] = []
    for prefix, path in sorted(prefixes, key=lambda each: _span(each[0])):
        while covering and not _covers(covering[-1][0], prefix):
            covering.pop()
        if covering:
            first = min((covering[-1][1], path), key=lambda p: (report.place(p).line, report.place(p).column))
            second = path if first == covering[-1][1] else covering[-1][1]
            report.add(second, f"overlaps {report.line(first)}", "give every tenant prefixes of its own")
        covering.append((prefix, path))


def _span(prefix: Network) -> tuple[int, int, int]:
    """Sorts a prefix before all that it covers."""
    return prefix.version, int(prefix.network_address), prefix.prefixlen


def _covers(wide: Network, narrow: Network) -> bool:
    return wide.version == narrow.version and narrow.network_address in wide


def _own_addresses(policy: Policy) -> Iterator[tuple[str, Address]]:
    """Addresses that only one party may have: virtual ones, members' own, those of translated clients."""
    for tenant in policy.tenants:
        for address in tenant.antivirus.addresses if tenant.antivirus else ():
            yield f"tenants.{tenant.name}.antivirus.as.{address}", address
    for pool in policy.pools:
        for address in pool.vip:
            yield f"pools.{pool.name}.vip.{address}", address
        for member in pool.members:
            for address in member.addresses:
                yield f"pools.{pool.name}.members.{member.name}.addresses.{address}", address


def _edge_addresses(policy: Policy) -> Iterator[tuple[str, Address]]:
    """The edge's own addresses; several links may share one."""
    for pool in policy.pools:
        for address in pool.edge:
            yield f"pools.{pool.name}.edge.{address}", address
    for uplink in policy.uplinks:
        for address in uplink.edge:
            yield f"uplinks.{uplink.name}.edge.{address}", address
    for tenant in policy.tenants:
        for gateway in tenant.gateways:
            for address in gateway.edge:
                yield f"tenants.{tenant.name}.gateways.{gateway.name}.edge.{address}", address


def _check_own_addresses(policy: Policy, report: ErrorReport) -> None:
    own = list(_own_addresses(policy))
    edge = list(_edge_addresses(policy))
    check_distinct(report, own, "address")
    edge_path_by_address = {address: path for path, address in reversed(edge)}
    for path, address in own:
        if address in edge_path_by_address:
            first = report.line(edge_path_by_address[address])
            report.add(path, f"address {address} is the edge's own ({first})", "use another address")
    starts = sorted(
        (
            (prefix.version, int(prefix.network_address), prefix, tenant)
            for tenant in policy.tenants
            for prefix in tenant.prefixes
        ),
        key=lambda entry: entry[:2],
    )
    find = _finder([entry[:2] for entry in starts])
    for path, address in (*own, *edge):
        at = find((address.version, int(address)))
        if at >= 0 and address in starts[at][2]:
            tenant = starts[at][3]
            report.add(
                path,
                f"lies inside a prefix of tenant {tenant.name} "
                f"({report.line(f'tenants.{tenant.name}.prefixes.{starts[at][2]}')})",
                "the edge's hosts and links need addresses of their own",
            )


def _finder(starts: list[tuple[int, int]]) -> Callable[[tuple[int, int]], int]:
    return lambda key: bisect_right(starts, key) - 1


def _check_families(policy: Policy, report: ErrorReport) -> None:
    spoken = {address.version for other in policy.uplinks for address in other.edge}
    needed = {prefix.version for tenant in policy.tenants for prefix in tenant.prefixes}
    for uplink, version in product(policy.uplinks, sorted(needed - spoken)):
        report.add(
            f"uplinks.{uplink.name}.edge",
            f"no uplink has an IPv{version} address, although tenants have IPv{version} prefixes",
            f"add the edge's own IPv{version} address",
        )


def _check_gateways(tenant: Tenant, report: ErrorReport) -> None:
    spoken = {address.version for gateway in tenant.gateways for address in gateway.edge}
    for prefix in tenant.prefixes:
        if tenant.gateways and prefix.version not in spoken:
            report.add(
                f"tenants.{tenant.name}.prefixes.{prefix}",
                f"no gateway of {tenant.name} has an IPv{prefix.version} address",
                f"add the edge's IPv{prefix.version} address under `gateways`",
            )


def _membership(prefixes: Iterable[Network]) -> Callable[[Address], bool]:
    """Return a test whether an address is in one of the prefixes. Overlaps are reported elsewhere."""
    widest: list[Network] = []
    for prefix in sorted(prefixes, key=_span):
        if not widest or not _covers(widest[-1], prefix):
            widest.append(prefix)
    find = _finder([(prefix.version, int(prefix.network_address)) for prefix in widest])

    def is_inside(address: Address) -> bool:
        at = find((address.version, int(address)))
        return at >= 0 and address in widest[at]

    return is_inside


def _check_inside(
    tenant: Tenant,
    servers: Iterable[Address],
    is_own: Callable[[Address], bool],
    path: str,
    report: ErrorReport,
) -> None:
    for server in servers:
        if not is_own(server):
            prefixes = listed(tenant.prefixes)
            report.add(
                f"{path}.{server}",
                f"is outside {tenant.name}'s prefixes ({prefixes})",
                "use one of its addresses",
            )
