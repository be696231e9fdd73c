"""Checks of switches, ports and trunks: each port is used once, switches are joined, names are known."""

from collections.abc import Iterable, Iterator

from common.config.kinds import listed, suggestion
from common.config.report import ErrorReport
from controller.policy.checks.names import KnownNames, check_distinct
from controller.policy.model import Link, Policy, PortRef

# Each trunk's two bypasses have VLAN ids, of which there are 4,094 (IEEE 802.1Q).
MAX_TRUNKS = 2047


def check_topology(policy: Policy, known: KnownNames, report: ErrorReport) -> None:
    _check_ports(policy, known, report)
    check_distinct(report, _macs(policy), "MAC")
    check_distinct(report, [(f"switches.{s.name}.dpid", s.dpid) for s in policy.switches], "dpid")
    _check_homes(policy, known, report)
    _check_links(policy, report)
    ends = {end.switch for link in policy.links for end in (link.a, link.b)}
    is_whole = len(known.switches) == len(policy.switches) and ends <= known.switches
    if is_whole:  # otherwise a mistake is already noted, and it is unknown what is connected
        _check_connected(policy, report)


def _check_links(policy: Policy, report: ErrorReport) -> None:
    for link in policy.links:
        if link.a.switch == link.b.switch and link.a != link.b:
            message = f"both ends are on switch {link.a.switch}"
            report.add(f"links.{link.a}-{link.b}", message, "join two different switches")
    if len(policy.links) > MAX_TRUNKS:
        report.add("links", f"has {len(policy.links)} trunks, more than {MAX_TRUNKS}", "use fewer trunks")


def _check_ports(policy: Policy, known: KnownNames, report: ErrorReport) -> None:
    used = list(_port_users(policy))
    names = sorted(known.switches)
    for path, at in used:
        if known.switches and at.switch not in known.switches:  # a missing list is reported elsewhere
            remedy = f"add it under `switches`, or use one of {listed(names)}{suggestion(at.switch, names)}"
            report.add(path, f"no switch is named {at.switch}", remedy)
    check_distinct(report, used, "switch port")


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


def _check_homes(policy: Policy, known: KnownNames, report: ErrorReport) -> None:
    names = sorted(known.switches)
    for tenant in policy.tenants:
        path = f"tenants.{tenant.name}.home"
        if path in report.places and known.switches and tenant.home not in known.switches:
            remedy = f"use one of {listed(names)}{suggestion(tenant.home, names)}"
            report.add(path, f"no switch is named {tenant.home}", remedy)


def _check_connected(policy: Policy, report: ErrorReport) -> None:
    if not policy.switches:
        return
    first = policy.switches[0].name
    together = _together(first, policy.links)
    lonely = [switch.name for switch in policy.switches if switch.name not in together]
    if lonely:
        others = f" (nor to {len(lonely) - 1} others)" if len(lonely) > 1 else ""
        report.add(
            f"switches.{lonely[0]}",
            f"no trunk leads here from {first}{others}",
            "add one under `links`, or use a separate policy for each group of connected switches",
        )


def _together(first: str, links: Iterable[Link]) -> set[str]:
    """Return the switches that trunks join with the first."""
    neighbours: dict[str, set[str]] = {}
    for link in links:
        neighbours.setdefault(link.a.switch, set()).add(link.b.switch)
        neighbours.setdefault(link.b.switch, set()).add(link.a.switch)
    found, waiting = {first}, [first]
    while waiting:
        new = neighbours.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found
