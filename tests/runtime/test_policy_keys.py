"""A key of the policy that hosts need reaches them: whatever is changed in a policy, their settings change.

A new field of the policy's model fails here until hosts are given it, or until it is listed with the reason
why they do not need it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from controller.hosts.health_agents import settings_for
from controller.hosts.render import render_gateways
from controller.policy.model import Policy
from controller.policy.parse import parse_policy
from tests.world import DEMO

_SWITCH = "only switches need it"
_CONTROLLER = "only the controller needs it"
_TRANSLATED = "the switch translates these addresses: servers see those of `as`"
_KIND = "says which check it is, and follows from the policy's key"
NOT_NEEDED: Mapping[str, str] = {
    "Policy.switches": _SWITCH,
    "Policy.links": _SWITCH,
    "Policy.uplinks": _SWITCH,
    "Policy.suspicion": "decisions are made in the controller and carried out by switches",
    "Policy.places": "places in the policy's file, for people",
    "Tenant.gateways": _SWITCH,
    "Tenant.home": _SWITCH,
    "Tenant.services": _SWITCH,
    "Tenant.dark": _SWITCH,
    "Tenant.limit_per_s": _SWITCH,
    "Tenant.may_be_learned": "`postern persona learn` asks the API for it",
    "Antivirus.clients": _TRANSLATED,
    "Pool.affinity_s": _SWITCH,
    "PoolHealth.by": _CONTROLLER,
    "PoolHealth.falls": _CONTROLLER,
    "PoolHealth.rises": _CONTROLLER,
    "PoolHealth.silence_s": _CONTROLLER,
    "PoolHealth.slow_start_s": _CONTROLLER,
    "PoolHealth.hold_down_s": _CONTROLLER,
    "HttpCheck.kind": _KIND,
    "TcpCheck.kind": _KIND,
    "Member.at": _SWITCH,
    "Member.mac": _SWITCH,
    "Member.weight": _SWITCH,
}
# A change that leaves a name without its pool is not a policy; so only pools of `MORE_POOLS` are renamed.
OTHER_POOL = {
    "Mail.proxies": "proxies2",
    "Mail.scanners": "scanners2",
    "Tenant.decoys": "decoys2",
    "Antivirus.pool": "antivirus2",
}
MORE_POOLS = """
  proxies2:
    kind: mail-proxy
    edge: [192.0.2.1]
    members: {proxy8: {at: s1:21, mac: 02:cc:00:00:00:81, addresses: [192.0.2.61]}}
  scanners2:
    kind: scanner
    edge: [192.0.2.1]
    vip: [192.0.2.101]
    members: {scanner8: {at: s1:22, mac: 02:dd:00:00:00:81, addresses: [192.0.2.62]}}
  decoys2:
    kind: decoy
    health: {http: [{port: 80}], tcp: [{port: 22, banner: SSH-2.0-}]}
    edge: [192.0.2.1]
    members: {decoy8: {at: s1:23, mac: 02:ee:00:00:00:81, addresses: [192.0.2.63]}}
  antivirus2:
    kind: antivirus
    edge: [192.0.2.1]
    vip: [192.0.2.121]
    members: {av8: {at: s1:24, mac: 02:ab:00:00:00:81, addresses: [192.0.2.64]}}
"""


def full_policy() -> Policy:
    """Return a policy in which every key that hosts could need has a value."""
    conditions = '{client: [198.51.100.0/24], sender: ["*@a.example"], recipient: ["*@b.example"], tls: true}'
    text = DEMO.replace("{then: scan}", f"{{if: {conditions}, then: scan}}")
    return parse_policy(text.replace("proxy2: {at", "proxy2: {limit: 7, at") + MORE_POOLS, "p.yaml")


def told_to_hosts(policy: Policy) -> object:
    gateways = render_gateways(policy, 1, lambda pool: (pool.encode().hex().ljust(64, "0"), 1))
    return gateways, {pool.name: settings_for(policy, pool) for pool in policy.pools}


def changes_of(record: Any) -> Iterator[tuple[str, Any]]:
    """Yield each field within a record, as `Class.field`, and the record with another value there."""
    for field in fields(record):
        name, value = f"{type(record).__name__}.{field.name}", getattr(record, field.name)
        if name in NOT_NEEDED:
            continue
        for inner, other in _other_values(name, value):
            yield inner, replace(record, **{field.name: other})


def _other_values(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if is_dataclass(value):
        yield from changes_of(value)
    elif isinstance(value, tuple) and value and is_dataclass(value[0]):
        for number, item in enumerate(value):
            for inner, other in changes_of(item):
                yield inner, (*value[:number], other, *value[number + 1 :])
        yield name, value[:-1]
    elif isinstance(value, tuple):
        yield name, tuple(map(_other, value))
    elif isinstance(value, Enum):
        yield from ((name, each) for each in type(value) if each is not value)
    elif name != "Pool.name" or value.endswith("2"):
        yield name, OTHER_POOL.get(name, _other(value))


def _other(value: Any) -> Any:
    """Return another value of the same kind."""
    match value:
        case None:
            return None
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}x"
        case IPv4Address() | IPv6Address():
            return ip_address("198.18.0.1")
        case IPv4Network() | IPv6Network():
            return ip_network("198.18.0.0/24")
    raise AssertionError(f"unknown kind of value: {value!r}")


def test_a_policy_key_is_known_to_hosts_or_listed_with_the_reason_why_not() -> None:
    policy = full_policy()
    before = told_to_hosts(policy)
    tried, known = set(), set()
    for name, changed in changes_of(policy):
        tried.add(name)
        if told_to_hosts(changed) != before:
            known.add(name)
    assert tried - known == set()


def test_what_hosts_do_not_need_is_still_in_the_policy() -> None:
    classes = {type(each) for each in _records_in(full_policy())}
    present = {f"{each.__name__}.{field.name}" for each in classes for field in fields(each)}
    assert NOT_NEEDED.keys() <= present


def _records_in(value: Any) -> Iterator[Any]:
    if is_dataclass(value):
        yield value
        for field in fields(value):
            yield from _records_in(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _records_in(item)
