"""What must hold of switches and trunks: every switch can be reached, every home is one of them."""

from collections.abc import Iterable

from controller.policy.checks import KnownNames, Report
from controller.policy.kinds import listed, suggestion
from controller.policy.model import Link, Policy

# Each trunk's two bypasses have VLAN ids, of which there are 4,094 (IEEE 802.1Q).
MAX_TRUNKS = 2047


def check_layout(policy: Policy, known: KnownNames, report: Report) -> None:
    _check_homes(policy, known, report)
    for link in policy.links:
        if link.a.switch == link.b.switch and link.a != link.b:
            report.add(
                f"links.{link.a}-{link.b}",
                f"both ends are on switch {link.a.switch}",
                "join two different switches",
            )
    if len(policy.links) > MAX_TRUNKS:
        report.add("links", f"has {len(policy.links)} trunks, more than {MAX_TRUNKS}", "use fewer trunks")
    ends = {end.switch for link in policy.links for end in (link.a, link.b)}
    is_whole = len(known.switches) == len(policy.switches) and ends <= known.switches
    if is_whole:  # otherwise something is said already, and who hangs together cannot be known
        _check_connected(policy, report)


def _check_homes(policy: Policy, known: KnownNames, report: Report) -> None:
    names = sorted(known.switches)
    for tenant in policy.tenants:
        path = f"tenants.{tenant.name}.home"
        if path in report.places and known.switches and tenant.home not in known.switches:
            remedy = f"use one of {listed(names)}{suggestion(tenant.home, names)}"
            report.add(path, f"no switch is named {tenant.home}", remedy)


def _check_connected(policy: Policy, report: Report) -> None:
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
            "add one under `links`, or keep a policy for each island",
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
