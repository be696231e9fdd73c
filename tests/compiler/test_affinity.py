"""The flows by which a switch remembers which member a client had."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from controller.compiler.compile import compile_policy
from controller.compiler.names import names_of
from controller.compiler.network_state import Conditions
from controller.openflow.encode import to_wire
from controller.pipeline.flows import Learn
from controller.pipeline.show import Shower
from controller.policy.model import Address, Policy
from controller.policy.parse import read_policy
from tests.compiler.conftest import POLICIES
from tests.compiler.reach import Reach, probes_between

_TABLES = ("recall", "affinity", "remember")


def sticky(name: str, *pools: str) -> Policy:
    policy = read_policy(POLICIES / f"{name}.yaml")
    return replace(
        policy,
        pools=tuple(replace(each, affinity_s=600 * (each.name in pools)) for each in policy.pools),
    )


def shown(policy: Policy, conditions: Conditions | None = None, switch: str = "s1") -> list[str]:
    states = compile_policy(policy, conditions or Conditions())
    return Shower(names_of(policy)).state(states[switch])


def of_affinity(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith(_TABLES)]


def test_nothing_is_remembered_unless_a_pool_asks_for_it() -> None:
    assert of_affinity(shown(sticky("demo"))) == []


def test_a_session_is_first_looked_up_among_the_clients_that_are_remembered() -> None:
    wanted = "service 20000 zone=outside eth_type=ipv4 ip_dst=203.0.113.10 ip_proto=tcp tcp_dst=25"
    (line,) = [line for line in shown(sticky("demo", "proxies")) if line.startswith(wanted)]
    assert line.startswith(f"{wanted} -> pool:=proxies, go on in recall, goto affinity")


def test_whom_the_client_had_is_followed_or_else_the_pool_chooses() -> None:
    lines = shown(sticky("demo", "proxies"))
    assert [line.split("  #")[0] for line in lines if line.startswith("affinity")] == [
        "affinity 20000 pool=proxies eth_dst=proxy1 -> to proxy1 of pool proxies",
        "affinity 20000 pool=proxies eth_dst=proxy2 -> to proxy2 of pool proxies",
        "affinity 10000 pool=proxies eth_type=ipv4 ip_proto=tcp -> tcp_src:=tcp_src, to pool proxies",
        "affinity 10000 pool=proxies eth_type=ipv6 ip_proto=tcp -> tcp_src:=tcp_src, to pool proxies",
        "affinity 0 anything -> drop",
    ]
    assert (
        "group proxy1 of pool proxies (first that is up): (go on in commit) while port 4 is up; "
        "(tcp_src:=tcp_src, to pool proxies) while pool proxies is up  # pools.proxies.members.proxy1"
    ) in lines


def test_what_is_learned_is_the_next_hop_alone() -> None:
    learns = {
        line.split("-> ", 1)[1].split(", goto")[0]
        for line in shown(sticky("demo", "proxies"))
        if line.startswith("remember 10000") and "eth_dst=proxy1" in line
    }
    assert learns == {
        "learn for 600 s (recall eth_type=ipv4 pool=proxies same ip_src -> eth_dst:=proxy1)",
        "learn for 600 s (recall eth_type=ipv6 pool=proxies same ipv6_src -> eth_dst:=proxy1)",
    }


def test_who_takes_no_new_sessions_is_neither_followed_nor_learned() -> None:
    resting = Conditions(shares={"pools.proxies.members.proxy1": 0})
    lines = of_affinity(shown(sticky("demo", "proxies"), resting))
    assert lines
    assert not [line for line in lines if "proxy1" in line]


def test_a_member_elsewhere_is_followed_over_the_trunks() -> None:
    policy = sticky("ring", "proxies")
    (here,) = {tenant.home for tenant in policy.tenants if tenant.name == "acme"}
    away = [m for pool in policy.pools if pool.name == "proxies" for m in pool.members if m.at.switch != here]
    lines = shown(policy, switch=here)
    assert away
    for member in away:
        (line,) = [x for x in lines if x.startswith("affinity") and f"eth_dst={member.name} " in x]
        assert "-> goto commit" in line


def test_a_pool_that_is_only_asked_for_scans_keeps_nobody() -> None:
    policy = sticky("demo", "scanners")
    direct_only = replace(policy, tenants=tuple(each for each in policy.tenants if each.name == "acme"))
    assert of_affinity(shown(direct_only)) == []


def test_the_cookie_of_what_is_learned_names_the_member() -> None:
    state = compile_policy(sticky("demo", "proxies"))["s1"]
    for flow in state.flows.values():
        for action in flow.actions:
            assert not isinstance(action, Learn) or action.cookie == flow.cookie


def test_the_limit_of_what_is_learned_is_told_the_switch() -> None:
    wire = to_wire(compile_policy(sticky("demo", "proxies"))["s1"])
    assert len(wire.learned) == 4  # a kind for each member and family
    assert len({each.cookie for each in wire.learned}) == 2


@pytest.mark.parametrize("name", ["demo", "ring"])
def test_affinity_lets_nobody_reach_more_or_fewer(name: str) -> None:
    plain, kept = Reach(sticky(name)), Reach(sticky(name, "proxies", "scanners"))
    for neighbour in plain.neighbours:
        for probe in probes_between([ip_address("198.51.100.10")], _servers(plain.policy)):
            assert plain.reached(neighbour, probe) == kept.reached(neighbour, probe)


def _servers(policy: Policy) -> list[Address]:
    return [server for tenant in policy.tenants if tenant.mail for server in tenant.mail.servers]
