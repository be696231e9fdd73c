"""What must hold of a policy as a whole: nothing used twice, nothing pointing nowhere.

Every check reports through `Report`, with the place of the second party and the
place of the first in the text.
"""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from controller.errors import PolicyError, note
from controller.policy.kinds import listed, suggestion
from controller.policy.model import (
    Address,
    Disposition,
    Mail,
    MailMode,
    Network,
    OnEmpty,
    Place,
    Policy,
    PoolKind,
    PortRef,
    Protocol,
    ScanAction,
    Tenant,
)

_SMTP_PORT = 25


@dataclass
class Report:
    places: Mapping[str, Place]
    top: Place
    errors: list[PolicyError]

    def add(self, path: str, message: str, remedy: str) -> None:
        note(self.errors, PolicyError(self.place(path), path, message, remedy))

    def place(self, path: str) -> Place:
        """Return where a rule stands, or the nearest rule above it."""
        while path and path not in self.places:
            path = path.rpartition(".")[0]
        return self.places.get(path, self.top)

    def line(self, path: str) -> str:
        return f"`{path}` in line {self.place(path).line}"


@dataclass(frozen=True)
class KnownNames:
    """Names that the file gives, also those whose records are broken: they are not `unknown`."""

    switches: frozenset[str]
    pools: Mapping[str, PoolKind | None]


def check(policy: Policy, known: KnownNames, report: Report) -> None:
    _check_ports(policy, known, report)
    _check_distinct(report, _macs(policy), "MAC")
    _check_distinct(report, [(f"switches.{s.name}.dpid", s.dpid) for s in policy.switches], "dpid")
    _check_prefixes(policy, report)
    _check_own_addresses(policy, report)
    for tenant in policy.tenants:
        _check_gateways(tenant, report)
        is_own = _membership(tenant.prefixes)
        _check_services(tenant, is_own, report)
        if tenant.decoys:
            check_pool(f"tenants.{tenant.name}.decoys", tenant.decoys, PoolKind.DECOY, known, report)
        if tenant.mail:
            _check_inside(tenant, tenant.mail.servers, is_own, f"tenants.{tenant.name}.mail.servers", report)
            _check_mail(f"tenants.{tenant.name}.mail", tenant.mail, known, report)
    for pool in policy.pools:
        if pool.kind in (PoolKind.SCANNER, PoolKind.ANTIVIRUS) and not pool.vip:
            report.add(
                f"pools.{pool.name}.vip",
                f"is missing; a pool of kind {pool.kind} needs one",
                "add `vip: [...]`",
            )
    _check_families(policy, report)
    levels = policy.suspicion
    if levels.hostile.score <= levels.suspect.score:
        remedy = f"use a score above {levels.suspect.score}"
        report.add("suspicion.hostile.score", "is not above that of `suspicion.suspect`", remedy)


def _check_ports(policy: Policy, known: KnownNames, report: Report) -> None:
    used = list(_port_users(policy))
    names = sorted(known.switches)
    for path, at in used:
        if known.switches and at.switch not in known.switches:  # none at all is a mistake of its own
            remedy = f"add it under `switches`, or use one of {listed(names)}{suggestion(at.switch, names)}"
            report.add(path, f"no switch is named {at.switch}", remedy)
    _check_distinct(report, used, "switch port")


def _port_users(policy: Policy) -> Iterator[tuple[str, PortRef]]:
    for uplink in policy.uplinks:
        yield f"uplinks.{uplink.name}.at", uplink.at
    for tenant in policy.tenants:
        for gateway in tenant.gateways:
            yield f"tenants.{tenant.name}.gateways.{gateway.name}.at", gateway.at
    for pool in policy.pools:
        for member in pool.members:
            yield f"pools.{pool.name}.members.{member.name}.at", member.at
    for link in policy.links:
        yield f"links.{link.a}-{link.b}", link.a
        yield f"links.{link.a}-{link.b}", link.b


def _macs(policy: Policy) -> Iterator[tuple[str, str]]:
    for switch in policy.switches:
        yield f"switches.{switch.name}.mac", switch.mac
    for uplink in policy.uplinks:
        yield f"uplinks.{uplink.name}.mac", uplink.mac
    for tenant in policy.tenants:
        for gateway in tenant.gateways:
            yield f"tenants.{tenant.name}.gateways.{gateway.name}.mac", gateway.mac
    for pool in policy.pools:
        for member in pool.members:
            yield f"pools.{pool.name}.members.{member.name}.mac", member.mac


def _check_distinct(report: Report, used: Iterable[tuple[str, Hashable]], what: str) -> None:
    """Report each second user of a thing, naming the first; in the order of the file."""
    in_file_order = sorted(used, key=lambda user: (report.place(user[0]).line, report.place(user[0]).column))
    first_by_thing: dict[Hashable, str] = {}
    for path, thing in in_file_order:
        first = first_by_thing.setdefault(thing, path)
        if first is not path:
            report.add(path, f"{what} {thing} is used already by {report.line(first)}", f"use another {what}")


def _check_prefixes(policy: Policy, report: Report) -> None:
    """Neighbours in sorted order clash if any do: a prefix stands before all that it covers."""
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


def _check_own_addresses(policy: Policy, report: Report) -> None:
    own = list(_own_addresses(policy))
    edge = list(_edge_addresses(policy))
    _check_distinct(report, own, "address")
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


def _check_families(policy: Policy, report: Report) -> None:
    spoken = {address.version for other in policy.uplinks for address in other.edge}
    needed = {prefix.version for tenant in policy.tenants for prefix in tenant.prefixes}
    for uplink, version in product(policy.uplinks, sorted(needed - spoken)):
        report.add(
            f"uplinks.{uplink.name}.edge",
            f"no uplink speaks IPv{version}, but tenants have such prefixes",
            f"add the edge's own IPv{version} address",
        )


def _check_gateways(tenant: Tenant, report: Report) -> None:
    spoken = {address.version for gateway in tenant.gateways for address in gateway.edge}
    for prefix in tenant.prefixes:
        if tenant.gateways and prefix.version not in spoken:
            report.add(
                f"tenants.{tenant.name}.prefixes.{prefix}",
                f"no gateway of {tenant.name} speaks IPv{prefix.version}",
                f"add the edge's IPv{prefix.version} address under `gateways`",
            )


def _membership(prefixes: Iterable[Network]) -> Callable[[Address], bool]:
    """Return a test whether an address lies in one of them. They may overlap: that is said elsewhere."""
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
    report: Report,
) -> None:
    for server in servers:
        if not is_own(server):
            prefixes = listed(tenant.prefixes)
            report.add(
                f"{path}.{server}",
                f"is outside {tenant.name}'s prefixes ({prefixes})",
                "use one of its addresses",
            )


def _check_services(tenant: Tenant, is_own: Callable[[Address], bool], report: Report) -> None:
    for service in tenant.services:
        path = f"tenants.{tenant.name}.services.{service.name}"
        _check_inside(tenant, service.servers, is_own, f"{path}.servers", report)
        if service.protocol is Protocol.ICMP and service.ports:
            report.add(f"{path}.ports", "icmp has no ports", "remove `ports`")
        if service.protocol is not Protocol.ICMP and not service.ports:
            report.add(f"{path}.ports", "is missing", "list the ports: ports: [443]")
        if service.protocol is Protocol.TCP and _SMTP_PORT in service.ports:
            report.add(
                f"{path}.ports.{_SMTP_PORT}", "port 25 would bypass the scanners", "mail belongs under `mail`"
            )


def _check_mail(path: str, mail: Mail, known: KnownNames, report: Report) -> None:
    check_pool(f"{path}.scanners", mail.scanners, PoolKind.SCANNER, known, report)
    if mail.mode is MailMode.PROXY:
        if mail.proxies:
            check_pool(f"{path}.proxies", mail.proxies, PoolKind.MAIL_PROXY, known, report)
        else:
            report.add(
                f"{path}.proxies",
                "is missing in mode proxy",
                "name a pool of kind mail-proxy, or use mode direct",
            )
    else:
        if mail.proxies:
            report.add(f"{path}.proxies", "has no meaning in mode direct", "remove it, or use mode proxy")
        if any(rule.action is ScanAction.SKIP for rule in mail.scan):
            report.add(
                f"{path}.scan",
                "mode direct scans everything, nothing can be skipped",
                "remove it, or use mode proxy",
            )
    _check_on_empty(f"{path}.on_empty", mail, known, report)
    if mail.on_verdict.infected is Disposition.PASS_TAGGED:
        report.add(f"{path}.on_verdict.infected", "malware is never passed on", "write reject or tempfail")
    if mail.on_verdict.unavailable is Disposition.REJECT:
        report.add(
            f"{path}.on_verdict.unavailable", "good mail would be lost while scanners are down",
            "write tempfail or pass-tagged",
        )  # fmt: skip
    if bool(mail.tls.certificate) != bool(mail.tls.key):
        given, lacking = ("certificate", "key") if mail.tls.certificate else ("key", "certificate")
        report.add(
            f"{path}.tls.{given}", f"is given without `{lacking}`", f"add `{lacking}`, or remove `{given}`"
        )


def _check_on_empty(path: str, mail: Mail, known: KnownNames, report: Report) -> None:
    """Silence would not be the refusal that was asked for; for `tempfail` it does almost as well."""
    may_be_there = {PoolKind.RESPONDER, None} & set(known.pools.values())
    if mail.on_empty is OnEmpty.REJECT and not may_be_there:
        remedy = "add one under `pools`, or write tempfail"
        report.add(path, "no pool of kind responder is there to refuse it", remedy)


def check_pool(path: str, name: str, kind: PoolKind, known: KnownNames, report: Report) -> None:
    """Say what is wrong with the name of a pool of some kind."""
    if name not in known.pools:
        names = list(known.pools)
        remedy = f"add it under `pools`, or use one of {listed(names) or 'none yet'}{suggestion(name, names)}"
        report.add(path, f"no pool is named {name}", remedy)
    elif known.pools[name] not in (kind, None):
        report.add(path, f"pool {name} is of kind {known.pools[name]}", f"name a pool of kind {kind}")
