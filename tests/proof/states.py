"""Policies and states of health, drawn at random: what a compiled network may have to be in."""

import json
import random
from collections.abc import Callable
from typing import Any

import yaml

from common.config.errors import ConfigErrors
from controller.compiler.compile import compile_policy
from controller.compiler.network_state import Conditions
from controller.openflow.encode import to_wire
from controller.policy.model import Policy, PortRef
from controller.policy.parse import parse_policy
from controller.proof.model import NetworkState
from controller.topology.ports import ports_of
from tests.proof.networks import POLICIES

Tree = dict[str, Any]
Edit = Callable[[random.Random, Tree], None]
_KINDS_WITH_AFFINITY = ("mail-proxy", "scanner")


def tree_of(name: str) -> Tree:
    """Return a shipped policy, or `triangle`, as a tree of YAML."""
    text = TRIANGLE if name == "triangle" else (POLICIES / f"{name}.yaml").read_text(encoding="utf-8")
    tree: Tree = yaml.safe_load(text)
    return tree


def policy_from(tree: Tree) -> Policy:
    return parse_policy(json.dumps(tree), "p.yaml")


def state_of(policy: Policy, conditions: Conditions) -> NetworkState:
    states = compile_policy(policy, conditions)
    return NetworkState(policy, {name: to_wire(state) for name, state in states.items()}, conditions)


def a_tenant(chance: random.Random, tree: Tree) -> Tree:
    tenant: Tree = chance.choice(list(tree["tenants"].values()))
    return tenant


def on_empty(chance: random.Random, tree: Tree) -> None:
    for tenant in tree["tenants"].values():
        if "mail" in tenant:
            tenant["mail"]["on_empty"] = chance.choice(["tempfail", "reject", "bypass"])


def no_mail(chance: random.Random, tree: Tree) -> None:
    a_tenant(chance, tree).pop("mail", None)


def other_mode(chance: random.Random, tree: Tree) -> None:
    proxies = [name for name, pool in tree["pools"].items() if pool["kind"] == "mail-proxy"]
    mail = a_tenant(chance, tree).get("mail", {})
    if mail.get("mode") == "proxy":
        mail["mode"] = "direct"
        del mail["proxies"]
        mail.pop("scan", None)
    elif mail and proxies:
        mail |= {"mode": "proxy", "proxies": chance.choice(proxies)}


def dark(chance: random.Random, tree: Tree) -> None:
    has_decoys = any(pool["kind"] == "decoy" for pool in tree["pools"].values())
    a_tenant(chance, tree)["dark"] = chance.choice(["drop", "decoy"] if has_decoys else ["drop"])


def affinity(chance: random.Random, tree: Tree) -> None:
    for pool in tree["pools"].values():
        if pool["kind"] in _KINDS_WITH_AFFINITY and chance.random() < 0.7:
            pool["affinity"] = "1h"


def no_limits(chance: random.Random, tree: Tree) -> None:
    for tenant in tree["tenants"].values():
        tenant["limit_per_second"] = "off"


def services(chance: random.Random, tree: Tree) -> None:
    tenant = a_tenant(chance, tree)
    servers = [_address_in(prefix, 20) for prefix in tenant["prefixes"]]
    tenant.setdefault("services", {}).update(
        dns={"protocol": "udp", "ports": [53], "servers": servers},
        ping={"protocol": "icmp", "servers": servers},
        more={"protocol": "tcp", "ports": [25_000, 443], "servers": servers[:1]},
    )


def _address_in(prefix: str, number: int) -> str:
    network = prefix.partition("/")[0]
    return (
        f"{network}{number}"
        if ":" in network
        else ".".join([*network.split(".")[:3], str(int(network.split(".")[3]) + number)])
    )


def one_family(chance: random.Random, tree: Tree) -> None:
    """A tenant has IPv4 only, or IPv6 only."""
    tenant, is_kept = a_tenant(chance, tree), chance.choice([_is_ipv4, _is_ipv6])
    lists = [tenant, tenant.get("mail", {}), tenant.get("antivirus", {})]
    lists += [*tenant["gateways"].values(), *tenant.get("services", {}).values()]
    for each in lists:
        for key in ("prefixes", "edge", "servers", "as"):
            kept = [address for address in each.get(key, ()) if is_kept(address)]
            if kept:
                each[key] = kept
    if is_kept is _is_ipv6:
        tenant.pop("antivirus", None)


def _is_ipv4(address: str) -> bool:
    return ":" not in address


def _is_ipv6(address: str) -> bool:
    return ":" in address


def another_scanner_pool(chance: random.Random, tree: Tree) -> None:
    scanners = tree["pools"]["scanners"]
    names = list(scanners["members"])
    if len(names) < 2:
        return
    moved = {"other1": scanners["members"].pop(names[-1])}
    vip = ["192.0.2.101", "2001:db8:e::101"][: len(scanners["vip"])]
    tree["pools"]["others"] = {**scanners, "members": moved, "vip": vip}
    mail = a_tenant(chance, tree).get("mail")
    if mail:
        mail["scanners"] = "others"


def move_home(chance: random.Random, tree: Tree) -> None:
    tenant = a_tenant(chance, tree)
    tenant["home"] = chance.choice(list(tree["switches"]))


def drop_tenant(chance: random.Random, tree: Tree) -> None:
    if len(tree["tenants"]) > 1:
        del tree["tenants"][chance.choice(list(tree["tenants"]))]


EDITS: tuple[Edit, ...] = (
    on_empty, no_mail, other_mode, dark, affinity, no_limits, services, one_family, another_scanner_pool,
    move_home, drop_tenant,
)  # fmt: skip


def edited_tree(chance: random.Random, tree: Tree) -> tuple[Tree, Policy]:
    """Return a tree after some random edits, up to the first one that makes it invalid, and its policy."""
    valid, policy = tree, policy_from(tree)
    for edit in chance.choices(EDITS, k=chance.randint(0, 4)):
        tree = json.loads(json.dumps(valid))
        edit(chance, tree)
        try:
            policy = policy_from(tree)
        except ConfigErrors:
            break
        valid = tree
    return valid, policy


def some_conditions(chance: random.Random, policy: Policy) -> Conditions:
    """Return a state of health: some members, whole pools, ports and trunks are out of use."""
    shares: dict[str, int] = {}
    badly = chance.choice([0.0, 0.2, 0.5])
    for pool in policy.pools:
        is_empty = chance.random() < 0.3
        for member in pool.members:
            if is_empty or chance.random() < badly:
                shares[f"pools.{pool.name}.members.{member.name}"] = 0
            elif chance.random() < 0.2:
                shares[f"pools.{pool.name}.members.{member.name}"] = chance.randint(1, 9)
    unready = frozenset(pool.name for pool in policy.pools if chance.random() < 0.15)
    ports = [use.at for use in ports_of(policy) if chance.random() < badly / 2]
    return Conditions(shares, frozenset({*ports, *_broken_trunks(chance, policy)}), unready)


def _broken_trunks(chance: random.Random, policy: Policy) -> list[PortRef]:
    broken: list[PortRef] = []
    for link in policy.links:
        if chance.random() < 0.25:
            broken += chance.choice([[link.a, link.b], [link.a], [link.b]])
    return broken


TRIANGLE = """
postern: 1
switches: {s1: {dpid: 1}, s2: {dpid: 2}, s3: {dpid: 3}}
links: [{a: s1:11, b: s2:12}, {a: s2:11, b: s3:12}, {a: s3:11, b: s1:12}]
uplinks:
  one: {at: s1:1, mac: 02:bb:00:00:00:01, edge: [100.64.0.1, "2001:db8:64::1"]}
  two: {at: s2:1, mac: 02:bb:00:00:00:02, edge: [100.64.0.5]}
tenants:
  acme:
    prefixes: [203.0.113.0/26, "2001:db8:a::/48"]
    home: s1
    gateways:
      a1: {at: s1:2, mac: 02:aa:00:00:00:01, edge: [100.64.1.1, "2001:db8:64:1::1"]}
      a2: {at: s3:2, mac: 02:aa:00:00:01:01, edge: [100.64.1.5, "2001:db8:64:1::5"]}
    mail: {mode: proxy, proxies: proxies, scanners: scanners, servers: [203.0.113.10, "2001:db8:a::10"]}
    services: {web: {protocol: tcp, ports: [80], servers: [203.0.113.10, "2001:db8:a::10"]}}
    antivirus: {as: [192.0.2.201], clients: [10.0.0.0/24]}
  globex:
    prefixes: ["2001:db8:b::/48"]
    gateways:
      g1: {at: s2:2, mac: 02:aa:00:00:00:02, edge: ["2001:db8:64:2::1"]}
    mail: {mode: direct, scanners: scanners, servers: ["2001:db8:b::10"]}
  initech:
    prefixes: [203.0.113.128/26]
    gateways:
      i1: {at: s3:3, mac: 02:aa:00:00:00:03, edge: [100.64.3.1]}
    dark: drop
    services: {ping: {protocol: icmp, servers: [203.0.113.130]}}
pools:
  proxies:
    kind: mail-proxy
    edge: [192.0.2.1, "2001:db8:e::1"]
    members:
      proxy1: {at: s1:4, mac: 02:cc:00:00:00:01, addresses: [192.0.2.11, "2001:db8:e::11"]}
      proxy2: {at: s3:4, mac: 02:cc:00:00:00:02, addresses: [192.0.2.12, "2001:db8:e::12"]}
  scanners:
    kind: scanner
    edge: [192.0.2.1, "2001:db8:e::1"]
    vip: [192.0.2.100, "2001:db8:e::100"]
    members:
      scanner1: {at: s2:6, mac: 02:dd:00:00:00:01, addresses: [192.0.2.21, "2001:db8:e::21"]}
      scanner2: {at: s3:6, mac: 02:dd:00:00:00:02, addresses: [192.0.2.22, "2001:db8:e::22"]}
  responders:
    kind: responder
    edge: [192.0.2.1, "2001:db8:e::1"]
    members:
      responder1: {at: s1:8, mac: 02:ff:00:00:00:01, addresses: [192.0.2.31, "2001:db8:e::31"]}
  decoys:
    kind: decoy
    edge: [192.0.2.1, "2001:db8:e::1"]
    members:
      decoy1: {at: s2:9, mac: 02:ee:00:00:00:01, addresses: [192.0.2.41, "2001:db8:e::41"]}
  antivirus:
    kind: antivirus
    edge: [192.0.2.1, "2001:db8:e::1"]
    vip: [192.0.2.120, "2001:db8:e::120"]
    members:
      av1: {at: s3:10, mac: 02:ab:00:00:00:01, addresses: [192.0.2.51, "2001:db8:e::51"]}
"""
