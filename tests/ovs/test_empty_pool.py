"""Pools that take nobody, with real packets on a real switch: who answers, and that he only answers."""

import itertools

import pytest

from tests.compiler.test_mail_path import PROXIES, demo_with, resting
from tests.ovs.edge import (
    ACME,
    GLOBEX,
    PROXY1,
    PROXY2,
    RESPONDER,
    UPLINK,
    EdgeUnderTest,
)
from tests.ovs.packets import ACK, RST, SYN
from tests.ovs.test_pipeline import ACME_MX, CLIENT, GLOBEX_MX, PROXY1_ADDRESS, SCANNER_VIP, families

pytestmark = pytest.mark.ovs

OWN_ADDRESS = {4: "192.0.2.31", 6: "2001:db8:e::31"}
EMPTY = resting(*PROXIES)


@families
@pytest.mark.parametrize("choice", ["tempfail", "reject"])
def test_a_responder_answers_for_an_empty_pool_and_is_heard(
    edge: EdgeUnderTest, family: int, choice: str
) -> None:
    edge.apply(demo_with(choice), EMPTY)
    for port, address in ((UPLINK, CLIENT[family]), (GLOBEX, GLOBEX_MX[family])):
        client, server = (address, 40000), (ACME_MX[family], 25)
        assert edge.send_tcp(port, client, server, SYN) == {RESPONDER}
        assert edge.send_tcp(RESPONDER, server, client, SYN | ACK) == {port}
        assert edge.send_tcp(port, client, server, ACK) == {RESPONDER}
        assert edge.send_tcp(RESPONDER, server, client, ACK) == {port}


@families
def test_new_sessions_go_to_members_that_are_back_and_a_responders_own_stay_with_it(
    edge: EdgeUnderTest, family: int
) -> None:
    policy = demo_with("tempfail")
    edge.apply(policy, EMPTY)
    server = (ACME_MX[family], 25)
    edge.send_tcp(UPLINK, (CLIENT[family], 40000), server, SYN)
    edge.apply(policy)
    assert edge.send_tcp(UPLINK, (CLIENT[family], 40000), server, ACK) == {RESPONDER}
    assert edge.send_tcp(UPLINK, (CLIENT[family], 40001), server, SYN) <= {PROXY1, PROXY2}


@families
def test_a_tenant_who_wants_that_gets_his_mail_unscanned_while_his_pool_is_empty(
    edge: EdgeUnderTest, family: int
) -> None:
    policy = demo_with("bypass")
    edge.apply(policy, EMPTY)
    client, server = (CLIENT[family], 40000), (ACME_MX[family], 25)
    assert edge.send_tcp(UPLINK, client, server, SYN) == {ACME}
    assert edge.send_tcp(ACME, server, client, SYN | ACK) == {UPLINK}
    edge.apply(policy)
    assert edge.send_tcp(UPLINK, client, server, ACK) == {ACME}
    assert edge.send_tcp(UPLINK, (CLIENT[family], 40001), server, SYN) <= {PROXY1, PROXY2}


@families
def test_without_a_responder_an_empty_pool_answers_nobody(edge: EdgeUnderTest, family: int) -> None:
    edge.apply(demo_with("tempfail"), resting(*PROXIES, "responders.responder1"))
    assert edge.send_tcp(UPLINK, (CLIENT[family], 40000), (ACME_MX[family], 25), SYN) == set()


@families
@pytest.mark.parametrize("is_empty", [False, True], ids=["well", "empty"])
def test_a_responder_reaches_nobody_by_itself(edge: EdgeUnderTest, family: int, is_empty: bool) -> None:
    if is_empty:
        edge.apply(demo_with("bypass"), EMPTY)
    sources = (CLIENT, ACME_MX, OWN_ADDRESS)
    targets = (CLIENT, ACME_MX, GLOBEX_MX, PROXY1_ADDRESS, SCANNER_VIP)
    ports = ((1111, 25), (1111, 3310), (25, 40000))
    for source, target, (own, other) in itertools.product(sources, targets, ports):
        for flags in (SYN, SYN | ACK, ACK) if source is not target else ():
            out = edge.send_tcp(RESPONDER, (source[family], own), (target[family], other), flags)
            assert out == set(), f"{source[family]}:{own} -> {target[family]}:{other}"


@families
def test_a_responder_cannot_speak_to_a_server_on_the_session_that_a_proxy_has_with_it(
    edge: EdgeUnderTest, family: int
) -> None:
    client, server = (CLIENT[family], 40000), (ACME_MX[family], 25)
    (proxy,) = edge.send_tcp(UPLINK, client, server, SYN)
    assert edge.send_tcp(proxy, client, server, SYN) == {ACME}
    assert edge.send_tcp(ACME, server, client, SYN | ACK) == {proxy}
    for flags in (SYN, ACK, RST):
        assert edge.send_tcp(RESPONDER, client, server, flags) == set()


@families
def test_a_responder_cannot_speak_as_the_client_on_a_session_that_comes_from_port_25(
    edge: EdgeUnderTest, family: int
) -> None:
    edge.apply(demo_with("bypass"), EMPTY)
    client, server = (CLIENT[family], 25), (ACME_MX[family], 25)
    assert edge.send_tcp(UPLINK, client, server, SYN) == {ACME}
    assert edge.send_tcp(ACME, server, client, SYN | ACK) == {UPLINK}
    assert edge.send_tcp(RESPONDER, client, server, ACK) == set()


@families
def test_nobody_reaches_a_responder_at_its_own_address(edge: EdgeUnderTest, family: int) -> None:
    for port, source in ((UPLINK, CLIENT), (ACME, ACME_MX), (PROXY1, PROXY1_ADDRESS)):
        assert edge.send_tcp(port, (source[family], 1111), (OWN_ADDRESS[family], 25), SYN) == set()
