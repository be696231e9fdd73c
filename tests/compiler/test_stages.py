"""Stages with policies that the demo does not show: other services, pools and switches."""

from pathlib import Path

from controller.compiler.compile import compile_policy
from controller.compiler.names import names_of
from controller.compiler.neighbours import neighbours_of
from controller.compiler.network_state import Conditions
from controller.pipeline import fields as f
from controller.pipeline.show import Shower
from controller.pipeline.tables import Table
from controller.policy.parse import parse_policy, read_policy
from controller.pools.removed_members import with_leaving, without_members
from tests.compiler.conftest import POLICIES


def shown(text: str, switch: str = "s1") -> list[str]:
    policy = parse_policy(text, "p.yaml")
    return Shower(names_of(policy)).state(compile_policy(policy)[switch])


def minimal(old: str = "", new: str = "", file: Path = POLICIES / "minimal.yaml") -> str:
    text = file.read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new) if old else text


def with_service(service: str) -> list[str]:
    return shown(minimal("    mail:", f"    services:\n      other: {service}\n    mail:"))


def test_a_published_udp_port_is_reached_by_udp_only() -> None:
    lines = with_service("{protocol: udp, ports: [53], servers: [203.0.113.10]}")
    whole, *fragments = [each for each in reversed(lines) if "service" in each and ".services.other" in each]
    assert "ip_dst=203.0.113.10 ip_proto=udp udp_dst=53 -> goto route" in whole
    ends = [each.partition("ip_dst=203.0.113.10 ")[2].partition("  #")[0] for each in fragments]
    assert ends == [
        "ip_frag=1 ct_state=+new+trk ct_nw_proto=17 -> drop",
        "ip_frag=3 ct_state=+new+trk ct_nw_proto=17 -> goto route",
        "ip_frag=1 ct_state=+new+trk ct_nw_proto=17 ct_tp_dst=53 -> goto route",
    ]


def test_a_server_that_answers_ping_is_reached_by_icmp() -> None:
    lines = with_service("{protocol: icmp, servers: [203.0.113.10]}")
    (line,) = [line for line in lines if line.startswith("service") and ".services.other" in line]
    assert "ip_dst=203.0.113.10 ip_proto=icmp -> goto route" in line


def test_an_ipv6_server_that_answers_ping_is_reached_by_icmpv6() -> None:
    web = '      web: {protocol: tcp, ports: [80], servers: [203.0.113.10, "2001:db8:a::10"]}'
    ping = '      ping: {protocol: icmp, servers: ["2001:db8:a::10"]}'
    lines = shown(minimal(web, ping, POLICIES / "demo.yaml"))
    fragments, line = [each for each in lines if each.startswith("service") and ".services.ping" in each]
    assert "ipv6_dst=2001:db8:a::10 ip_proto=icmpv6 -> goto route" in line
    assert "ipv6_dst=2001:db8:a::10 ip_frag=3 ct_state=+new+trk ct_nw_proto=58 -> goto route" in fragments


def test_two_gateways_of_a_tenant_that_share_the_edges_address_are_answered_by_one_flow() -> None:
    second = "      acme-gw2: {at: s1:9, mac: 02:aa:00:00:00:09, edge: [100.64.1.1]}\n    mail:"
    lines = shown(minimal("    mail:", second))
    assert sum("arp_tpa=100.64.1.1 " in line for line in lines) == 1
    assert "forward 10000 eth_dst=acme-gw2 -> eth_src:=s1, port 9  # tenants.acme.gateways.acme-gw2" in lines


def test_a_switch_admits_nobody_who_is_attached_to_another() -> None:
    text = minimal("s1: {dpid: 1}", "s1: {dpid: 1}\n  s2: {dpid: 2}\nlinks: [{a: s1:9, b: s2:9}]")
    lines = [line for line in shown(text, "s2") if line.startswith("admission")]
    admitted = {line.split("# ")[1] for line in lines if "-> drop" not in line}
    assert admitted == {"links.s1:9-s2:9"}


def test_neighbours_of_a_second_switch_are_admitted_there_only() -> None:
    text = minimal("s1: {dpid: 1}", "s1: {dpid: 1}\n  s2: {dpid: 2}\nlinks: [{a: s1:9, b: s2:9}]")
    text = text.replace("s1:1", "s2:1").replace("s1:2", "s2:2")
    here, there = (
        {line.split("# ")[1] for line in shown(text, s) if "admission" in line and "-> drop" not in line}
        for s in ("s1", "s2")
    )
    trunk = "links.s1:9-s2:9"
    assert here == {trunk, "pools.scanners.members.scanner1"}
    assert there == {trunk, "uplinks.backbone", "tenants.acme.gateways.acme-gw"}


def test_hosts_of_pools_are_held_to_their_own_sessions_on_every_switch_that_tracks() -> None:
    policy = read_policy(POLICIES / "ring.yaml")
    hosts = {each.mac for each in neighbours_of(policy) if each.path.startswith("pools.")}
    for name, state in compile_policy(policy).items():
        resumed = [flow for flow in state.flows.values() if flow.table is Table.RESUME]
        followed = {c.value for flow in resumed if flow.goto for c in flow.match if c.field is f.ETH_SRC}
        if any(tenant.home == name for tenant in policy.tenants):
            assert hosts <= followed, name


def test_a_member_that_leaves_goes_on_in_its_sessions_and_gets_no_new_ones() -> None:
    before = read_policy(POLICIES / "demo.yaml")
    gone = "pools.proxies.members.proxy2"
    leaving = with_leaving(without_members(before, {gone}), before, lambda path: path == gone)
    state = compile_policy(leaving, Conditions(shares={gone: 0}))["s1"]
    own = [flow for flow in state.flows.values() if flow.table is Table.RESUME and flow.because == gone]
    assert {flow.key for flow in own} == {
        flow.key
        for flow in compile_policy(before)["s1"].flows.values()
        if flow.table is Table.RESUME and flow.because == gone
    }
    assert own


def test_what_a_tenant_begins_is_limited_at_the_home_of_every_tenant() -> None:
    policy = read_policy(POLICIES / "ring.yaml")
    homes = {tenant.home for tenant in policy.tenants}
    for name, state in compile_policy(policy).items():
        limited = {
            flow.because
            for flow in state.flows.values()
            if flow.because.endswith(".limit_per_second.outgoing")
        }
        assert len(limited) == (len(policy.tenants) if name in homes else 0)
