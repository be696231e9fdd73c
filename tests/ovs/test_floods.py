"""Floods of first packets on a real switch: one tenant's do not take the room of the others."""

from dataclasses import replace

import pytest

from controller.policy.model import DEFAULT_LIMIT_PER_S, Policy
from controller.policy.parse import read_policy
from tests.ovs.edge import ACME, DEMO, GLOBEX, UPLINK, EdgeUnderTest
from tests.ovs.packets import ACK, SYN

pytestmark = pytest.mark.ovs

ROOM = 100  # connections that the switch can remember, in place of its 3,000,000
CLIENT, ACME_MX, GLOBEX_MX = "198.51.100.10", "203.0.113.10", "203.0.113.74"
SERVERS = [f"198.51.100.{number}" for number in range(1, 201)]


def limited(acme: int) -> Policy:
    policy = read_policy(DEMO)
    return replace(
        policy,
        tenants=tuple(
            replace(each, limit_per_s=acme) if each.name == "acme" else each for each in policy.tenants
        ),
    )


def flood(edge: EdgeUnderTest, is_outgoing: bool) -> None:
    for other in SERVERS:
        if is_outgoing:
            edge.send_tcp(ACME, (ACME_MX, 5000), (other, 80), SYN)
        else:
            edge.send_tcp(UPLINK, (other, 5000), (ACME_MX, 80), SYN)


def is_answered(edge: EdgeUnderTest, port: int, server: tuple[str, int]) -> bool:
    """Open a connection from outside; return whether the answer comes back."""
    (host,) = edge.send_tcp(UPLINK, (CLIENT, port), server, SYN)
    return edge.send_tcp(host, server, (CLIENT, port), SYN | ACK) == {UPLINK}


@pytest.mark.parametrize("is_outgoing", [False, True], ids=["at a tenant", "from a tenant"])
def test_a_flood_leaves_room_for_the_connections_of_others(edge: EdgeUnderTest, is_outgoing: bool) -> None:
    edge.ovs.appctl("dpctl/ct-set-maxconns", str(ROOM))
    edge.apply(limited(acme=5))
    edge.ovs.appctl("time/stop")  # on a slow machine, a flood would be none
    flood(edge, is_outgoing)
    assert int(edge.ovs.appctl("dpctl/ct-get-nconns")) < ROOM
    assert is_answered(edge, 6000, (GLOBEX_MX, 25))


def test_without_a_limit_a_flood_at_one_tenant_stops_all(edge: EdgeUnderTest) -> None:
    edge.ovs.appctl("dpctl/ct-set-maxconns", str(ROOM))
    edge.apply(limited(acme=0))
    flood(edge, is_outgoing=False)
    assert not is_answered(edge, 6000, (GLOBEX_MX, 25))


def test_a_flood_at_a_tenant_does_not_stop_what_the_tenant_itself_begins(edge: EdgeUnderTest) -> None:
    edge.apply(limited(acme=5))
    flood(edge, is_outgoing=False)
    assert edge.send_tcp(ACME, (ACME_MX, 7000), (CLIENT, 443), SYN) == {UPLINK}
    assert edge.send_tcp(GLOBEX, (GLOBEX_MX, 7000), (CLIENT, 443), SYN) == {UPLINK}


def test_each_tenant_has_a_limit_unless_the_policy_turns_it_off(edge: EdgeUnderTest) -> None:
    assert {each.limit_per_s for each in read_policy(DEMO).tenants} == {DEFAULT_LIMIT_PER_S}
    shown = edge.ovs.ofctl("dump-meters", "s1")
    assert shown.count(f"rate={DEFAULT_LIMIT_PER_S}") == 4
    text = DEMO.read_text(encoding="utf-8")
    off = edge.ovs.directory / "off.yaml"
    off.write_text(text.replace("    prefixes: [", "    limit_per_second: off\n    prefixes: ["), "utf-8")
    edge.apply(read_policy(off))
    assert f"rate={DEFAULT_LIMIT_PER_S}" not in edge.ovs.ofctl("dump-meters", "s1")
