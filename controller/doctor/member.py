"""A member of a pool: whether this host answers for every address that the switch sends it (AnyIP)."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.doctor import kernel
from controller.doctor.finding import Finding
from controller.doctor.kernel import Ipv6
from controller.doctor.system import content_of, output_of

_TABLE = "100"
_CAP_NET_ADMIN, _CAP_NET_RAW = 1 << 12, 1 << 13  # linux/capability.h


@dataclass(frozen=True, slots=True)
class MemberFacts:
    interface: str  # the one that leads to the edge; empty: none
    ipv6: Ipv6
    reverse_path_filter: int  # the strictest value that applies to it; 0 is off
    families_without_rule: tuple[int, ...]
    families_without_route: tuple[int, ...]
    offloads: bool
    may_be_transparent: bool


def look() -> MemberFacts:
    interface = _interface()
    ipv6 = kernel.find_ipv6()
    families = (4, 6) if ipv6 is Ipv6.HERE else (4,)
    return MemberFacts(
        interface=interface,
        ipv6=ipv6,
        reverse_path_filter=max(_number(f"net/ipv4/conf/{name}/rp_filter") for name in ("all", interface)),
        families_without_rule=tuple(family for family in families if not _has_rule(family, interface)),
        families_without_route=tuple(family for family in families if not _has_route(family)),
        offloads=_is_veth(interface)
        and "tx-checksumming: on" in (output_of("ethtool", "-k", interface) or ""),
        may_be_transparent=bool(capabilities() & (_CAP_NET_ADMIN | _CAP_NET_RAW)),
    )


def _interface() -> str:
    found = re.search(r"^default .*\bdev (\S+)", output_of("ip", "-4", "route") or "", re.MULTILINE)
    return (
        found[1]
        if found
        else next((name for name in sorted(os.listdir("/sys/class/net")) if name != "lo"), "")
    )


def _is_veth(interface: str) -> bool:
    """A real network card computes checksums that are left to it; a veth passes them on unset."""
    return "driver: veth" in (output_of("ethtool", "-i", interface) or "")


def _number(name: str) -> int:
    return int(content_of(Path("/proc/sys", name)) or 0)


def _has_rule(family: int, interface: str) -> bool:
    rules = output_of("ip", f"-{family}", "rule") or ""
    return any(
        f"iif {interface} " in f"{line} " and f"lookup {_TABLE}" in line for line in rules.splitlines()
    )


def _has_route(family: int) -> bool:
    return "local default dev lo" in (output_of("ip", f"-{family}", "route", "show", "table", _TABLE) or "")


def capabilities() -> int:
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", content_of("/proc/self/status") or "", re.MULTILINE)
    return int(found[1], 16) if found else 0


def judge(facts: MemberFacts) -> Iterator[Finding]:
    yield from judge_link(facts)
    if facts.interface:
        yield from judge_addresses(facts)
        yield Finding(
            "IP_TRANSPARENT",
            "allowed"
            if facts.may_be_transparent
            else "this process may not use a client's address as its source",
            "" if facts.may_be_transparent else "run it as root, or with AmbientCapabilities=CAP_NET_RAW",
        )


def judge_link(facts: MemberFacts) -> Iterator[Finding]:
    """Judge what concerns every host of a pool."""
    if not facts.interface:
        yield Finding(
            "link", "no interface except lo: the edge cannot reach this host", "connect it to a switch port"
        )
        return
    yield Finding("link", f"{facts.interface} leads to the edge")
    strict = facts.reverse_path_filter
    yield Finding(
        "rp_filter",
        f"is {strict}: packets to tenants' addresses are dropped silently" if strict else "off",
        f"sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.{facts.interface}.rp_filter=0"
        if strict
        else "",
    )
    yield Finding(
        "checksums",
        "are left to hardware, but a veth has none: TCP hangs" if facts.offloads else "computed by this host",
        f"ethtool -K {facts.interface} tx off" if facts.offloads else "",
    )


def judge_addresses(facts: MemberFacts) -> Iterator[Finding]:
    """Return whether the host answers for every address."""
    everything = {4: "0.0.0.0/0", 6: "::/0"}
    for family in (4, 6):
        if family == 6 and facts.ipv6 is not Ipv6.HERE:
            yield kernel.judge_ipv6(facts.ipv6)
            continue
        remedies = []
        if family in facts.families_without_rule:
            remedies.append(f"ip -{family} rule add iif {facts.interface} lookup {_TABLE}")
        if family in facts.families_without_route:
            remedies.append(f"ip -{family} route add local {everything[family]} dev lo table {_TABLE}")
        yield Finding(
            f"AnyIP, IPv{family}",
            "does not answer for tenants' addresses" if remedies else "answers for every address",
            "; ".join(remedies),
        )
