"""A key of the policy reaches everything that must know it: hosts, switches, or the controller itself.

A new field of the policy's model fails here until it has a key in the grammar, and until hosts are given it
and read it, or it is listed as one that hosts do not need. What is listed for switches must change their
flows; what is listed for the controller must be read there.
"""

import ast
import inspect
from collections.abc import Container, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest

from common.config.building import field_of
from common.config.grammar import Record, records_within
from common.wire import antivirus, decoy, health, mail, responder
from controller.compiler.compile import compile_policy
from controller.hosts.health_agents import settings_for
from controller.hosts.render import render_gateways
from controller.policy.grammar import POLICY
from controller.policy.model import Policy
from controller.policy.parse import parse_policy
from tests.common.test_config import records_of
from tests.world import DEMO

ROOT = Path(__file__).parents[2]
FOR_SWITCHES = {
    "Policy.links",
    "Policy.switches",
    "Policy.uplinks",
    "Tenant.gateways",
    "Tenant.home",
    "Tenant.services",
    "Tenant.dark",
    "Tenant.limit_per_s",
    "Antivirus.clients",  # the switch translates these addresses: servers see those of `as`
    "Pool.affinity_s",
    "Member.at",
    "Member.mac",
    "Member.weight",
}
FOR_THE_CONTROLLER = {
    "Policy.drift",  # the controller repairs switches, or reports only
    "Policy.suspicion",  # decisions are made in the controller and carried out by switches
    "Switch.dpid",  # identifies the switch that connects
    "Tenant.may_be_learned",  # `postern persona learn` asks the API for it
    "PoolHealth.by",
    "PoolHealth.falls",
    "PoolHealth.rises",
    "PoolHealth.silence_s",
    "PoolHealth.slow_start_s",
    "PoolHealth.hold_down_s",
}
FOR_NONE: Mapping[str, str] = {
    "Policy.places": "places in the policy's file, for people",
    "HttpCheck.kind": "says which check it is, and follows from the policy's key",
    "TcpCheck.kind": "says which check it is, and follows from the policy's key",
}
NOT_FOR_HOSTS = FOR_SWITCHES | FOR_THE_CONTROLLER | FOR_NONE.keys()
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
    """Return a policy in which every key that hosts or switches could need has a value."""
    conditions = '{client: [198.51.100.0/24], sender: ["*@a.example"], recipient: ["*@b.example"], tls: true}'
    text = DEMO.replace("{then: scan}", f"{{if: {conditions}, then: scan}}")
    text = text.replace("switches:\n", "links: [{a: s1:30, b: s2:30}]\nswitches:\n  s2: {dpid: 2}\n")
    return parse_policy(text.replace("proxy2: {at", "proxy2: {limit: 7, at") + MORE_POOLS, "p.yaml")


def told_to_hosts(policy: Policy) -> object:
    gateways = render_gateways(policy, 1, lambda pool: (pool.encode().hex().ljust(64, "0"), 1))
    return gateways, {pool.name: settings_for(policy, pool) for pool in policy.pools}


Change = tuple[tuple[str, ...], Any]  # the fields that lead there, as `Class.field`, and the changed record


def changes_of(record: Any, without: Container[str]) -> Iterator[Change]:
    """Yield the record once for each field within it, with another value there."""
    for field in fields(record):
        name = f"{type(record).__name__}.{field.name}"
        if name not in without:
            for inner, other in _other_values(name, getattr(record, field.name), without):
                yield (name, *inner), replace(record, **{field.name: other})


def _other_values(name: str, value: Any, without: Container[str]) -> Iterator[Change]:
    if is_dataclass(value):
        yield from changes_of(value, without)
    elif isinstance(value, tuple) and value and is_dataclass(value[0]):
        for number, item in enumerate(value):
            for inner, other in changes_of(item, without):
                yield inner, (*value[:number], other, *value[number + 1 :])
        yield (), value[:-1]
    elif isinstance(value, tuple):
        yield (), tuple(map(_other, value))
    elif isinstance(value, Enum):
        yield from (((), each) for each in type(value) if each is not value)
    elif name != "Pool.name" or value.endswith("2"):
        yield (), OTHER_POOL.get(name, _other(value))


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
    for names, changed in changes_of(policy, NOT_FOR_HOSTS):
        tried.add(names)
        if told_to_hosts(changed) != before:
            known.add(names)
    assert tried - known == set()


def test_a_policy_key_that_is_for_switches_changes_their_flows() -> None:
    policy = full_policy()
    before = compile_policy(policy)
    tried, known = set(), set()
    for names, changed in changes_of(policy, NOT_FOR_HOSTS - FOR_SWITCHES):
        if FOR_SWITCHES & set(names):
            tried.add(names)
            if is_other_for_switches(changed, before):
                known.add(names)
    assert tried - known == set()
    assert {name for names in tried for name in names} >= FOR_SWITCHES


def is_other_for_switches(changed: Policy, before: object) -> bool:
    """Return whether a policy compiles to something else, or not at all."""
    try:
        return compile_policy(changed) != before
    except (LookupError, ValueError):  # it was read, and what it names is missing
        return True


def test_what_hosts_do_not_need_is_still_in_the_policy() -> None:
    classes = {type(each) for each in _records_in(full_policy())}
    present = {f"{each.__name__}.{field.name}" for each in classes for field in fields(each)}
    assert present >= NOT_FOR_HOSTS


READERS: Mapping[str, tuple[ModuleType, tuple[str, ...]]] = {
    "mail": (mail, ("mail", "base")),
    "responder": (responder, ("responder", "base")),
    "decoy": (decoy, ("decoy", "cowrie", "sensors", "base")),
    "antivirus": (antivirus, ("antivirus", "base")),
    "health_agent": (health, ("health_agent", "base")),
}
_ROLE = "a file of another kind is refused while it is read"
_POOL = "names the pool in its file, for people"
NOT_READ: Mapping[str, str] = {
    "AntivirusSettings.role": _ROLE,
    "DecoySettings.role": _ROLE,
    "ResponderSettings.role": _ROLE,
    "AntivirusSettings.pool": _POOL,
    "DecoySettings.pool": _POOL,
    "HealthReport.failed": "what the agent sends; the controller reads it",
}


@pytest.mark.parametrize("kind", READERS)
def test_what_hosts_are_given_their_programs_read(kind: str) -> None:
    module, services = READERS[kind]
    read = {name for each in services for name in attributes_read(ROOT / "services" / each)}
    read |= _read_by_properties(Path(str(module.__file__)), read)
    declared = {
        f"{record.__name__}.{field.name}"
        for record in records_declared_in(module)
        for field in fields(record)
        if field.name not in read
    }
    assert declared - NOT_READ.keys() == set()


def records_declared_in(module: ModuleType) -> Iterator[Any]:
    for _, record in inspect.getmembers(module, is_dataclass):
        if record.__module__ == module.__name__:
            yield record


def attributes_read(directory: Path) -> set[str]:
    return {name for file in directory.rglob("*.py") for name in _attributes(_tree(file))}


def _attributes(tree: ast.AST) -> Iterator[str]:
    """Yield the names of attributes that code reads, also in patterns."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Load()):
                yield name
            case ast.MatchClass(kwd_attrs=names):
                yield from names


def _read_by_properties(file: Path, read: set[str]) -> set[str]:
    """Return what properties of records read that are read themselves."""
    return {
        name
        for function in ast.walk(_tree(file))
        if isinstance(function, ast.FunctionDef) and function.decorator_list and function.name in read
        for name in _attributes(function)
    }


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def test_a_policy_key_that_is_for_the_controller_is_read_there() -> None:
    parts = (each for each in (ROOT / "controller").iterdir() if each.is_dir() and each.name != "policy")
    read = {name for each in parts for name in attributes_read(each)}
    suspicion = [record for record in _records_in(full_policy().suspicion)]
    names = {f"{type(each).__name__}.{field.name}" for each in suspicion for field in fields(each)}
    assert {name for name in names | FOR_THE_CONTROLLER if name.partition(".")[2] not in read} == set()


def test_every_field_of_the_policys_model_has_a_key_in_the_grammar() -> None:
    missing = set()
    for record in records_of(POLICY, set()):
        if model := _model_of(record):
            keys = set(_fields_given(record)) | {record.name}
            missing |= {f"{model.__name__}.{each.name}" for each in fields(model) if each.name not in keys}
    assert missing - FOR_NONE.keys() == set()


def _fields_given(record: Record) -> Iterator[str]:
    """Yield the fields that the keys of a record give, also those of records without a type inside it."""
    for name, key in record.keys.items():
        yield field_of(name, key)
        for inner in records_within(key.type):
            if inner.into is dict:
                yield from _fields_given(inner)


def _model_of(record: Record) -> Any:
    """Return the class that the values of a record make up."""
    into = record.into.func if isinstance(record.into, partial) else record.into
    return (
        get_type_hints(into)["return"] if inspect.isfunction(into) else into if is_dataclass(into) else None
    )


def _records_in(value: Any) -> Iterator[Any]:
    if is_dataclass(value):
        yield value
        for field in fields(value):
            yield from _records_in(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _records_in(item)
