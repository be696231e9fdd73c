"""Stages with policies that the demo does not show: other services, pools and switches."""

from pathlib import Path

from controller.compiler.compile import compile_policy
from controller.compiler.names import names_of
from controller.pipeline.show import Shower
from controller.policy.parse import parse_policy
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
    (line,) = [line for line in lines if line.startswith("service") and ".services.other" in line]
    assert "ip_dst=203.0.113.10 ip_proto=udp udp_dst=53 -> goto route" in line


def test_a_server_that_answers_ping_is_reached_by_icmp() -> None:
    lines = with_service("{protocol: icmp, servers: [203.0.113.10]}")
    (line,) = [line for line in lines if line.startswith("service") and ".services.other" in line]
    assert "ip_dst=203.0.113.10 ip_proto=icmp -> goto route" in line


def test_an_ipv6_server_that_answers_ping_is_reached_by_icmpv6() -> None:
    web = '      web: {protocol: tcp, ports: [80], servers: [203.0.113.10, "2001:db8:a::10"]}'
    ping = '      ping: {protocol: icmp, servers: ["2001:db8:a::10"]}'
    lines = shown(minimal(web, ping, POLICIES / "demo.yaml"))
    (line,) = [line for line in lines if line.startswith("service") and ".services.ping" in line]
    assert "ipv6_dst=2001:db8:a::10 ip_proto=icmpv6 -> goto route" in line


def test_two_gateways_of_a_tenant_that_share_the_edges_address_are_answered_by_one_flow() -> None:
    second = "      acme-gw2: {at: s1:9, mac: 02:aa:00:00:00:09, edge: [100.64.1.1]}\n    mail:"
    lines = shown(minimal("    mail:", second))
    assert sum("arp_tpa=100.64.1.1 " in line for line in lines) == 1
    assert "forward 10000 eth_dst=acme-gw2 -> eth_src:=s1, port 9  # tenants.acme.gateways.acme-gw2" in lines


def test_a_switch_admits_nobody_who_is_attached_to_another() -> None:
    text = minimal("s1: {dpid: 1}", "s1: {dpid: 1}\n  s2: {dpid: 2}\nlinks: [{a: s1:9, b: s2:9}]")
    admitted = {line.split("# ")[1] for line in shown(text, "s2") if line.startswith("admission")}
    assert admitted == {"links.s1:9-s2:9"}


def test_neighbours_of_a_second_switch_are_admitted_there_only() -> None:
    text = minimal("s1: {dpid: 1}", "s1: {dpid: 1}\n  s2: {dpid: 2}\nlinks: [{a: s1:9, b: s2:9}]")
    text = text.replace("s1:1", "s2:1").replace("s1:2", "s2:2")
    here, there = (
        {line.split("# ")[1] for line in shown(text, s) if "admission" in line} for s in ("s1", "s2")
    )
    trunk = "links.s1:9-s2:9"
    assert here == {trunk, "pools.scanners.members.scanner1"}
    assert there == {trunk, "uplinks.backbone", "tenants.acme.gateways.acme-gw"}
