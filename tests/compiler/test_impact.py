"""An operator is told which pool takes nobody, and what becomes of whose mail."""

import pytest

from controller.compiler.impact import troubles_of
from controller.policy.parse import parse_policy
from tests.compiler.test_mail_path import DEMO, PROXIES, RESPONDER, demo_with, resting

SCANNERS = ("scanners.scanner1", "scanners.scanner2")
GLOBEX = "  globex:\n    prefixes"


def lines(on_empty: str, *members: str, unready: str = "") -> list[str]:
    found = troubles_of(demo_with(on_empty), resting(*members, unready=unready))
    return [f"{trouble.pool} {line}" for trouble in found for line in trouble.lines]


@pytest.mark.parametrize(
    ("on_empty", "words"),
    [
        ("tempfail", "acme's mail is deferred by a responder, senders retry (on_empty: tempfail)"),
        ("bypass", "acme's mail is delivered UNSCANNED (on_empty: bypass)"),
        ("reject", "acme's mail is REJECTED PERMANENTLY by a responder (on_empty: reject)"),
    ],
)
def test_an_empty_pool_is_named_with_what_its_tenant_chose(on_empty: str, words: str) -> None:
    assert lines(on_empty, *PROXIES) == [f"proxies EMPTY: {words}"]


def test_while_somebody_takes_sessions_nothing_is_said() -> None:
    assert lines("bypass", PROXIES[0], SCANNERS[0]) == []


def test_without_a_responder_the_silence_is_said() -> None:
    assert lines("tempfail", *PROXIES, *RESPONDER) == [
        "proxies EMPTY: acme's mail gets NO REPLY, because no responder takes sessions (on_empty: tempfail)",
        "responders EMPTY: no mail is affected",
    ]


def test_scanners_that_proxies_ask_are_the_trouble_of_those_tenants_too() -> None:
    assert lines("bypass", *SCANNERS) == [
        "scanners EMPTY: acme's mail is deferred where it must be scanned (on_verdict.unavailable: tempfail)",
        "scanners EMPTY: globex's mail is deferred by a responder, senders retry (on_empty: tempfail)",
    ]


def test_mail_that_is_tagged_instead_of_scanned_is_said_to_be_unscanned() -> None:
    policy = parse_policy(DEMO.replace("unavailable: tempfail", "unavailable: pass-tagged"), "p.yaml")
    (trouble,) = troubles_of(policy, resting(*SCANNERS))
    assert "acme's mail is delivered UNSCANNED, with a tag" in trouble.lines[0]


def test_full_and_unproved_pools_are_told_from_empty_ones() -> None:
    put_off = "acme's mail is deferred by a responder, senders retry (on_empty: tempfail)"
    shed = "acme's mail goes to full members, which defer excess sessions with 421 (on_empty: bypass)"
    waits = "acme's mail waits until a member is known to be healthy (on_empty: bypass)"
    assert lines("tempfail", unready="proxies") == [f"proxies FULL: {put_off}"]
    assert lines("bypass", unready="proxies") == [f"proxies FULL: {shed}"]
    assert lines("bypass", *PROXIES, unready="proxies") == [f"proxies JOINING: {waits}"]


def test_full_scanners_still_scan() -> None:
    (line,) = lines("tempfail", unready="scanners")
    assert line.startswith("scanners FULL: globex's mail ")


def test_many_tenants_of_one_fate_share_a_line() -> None:
    more = "".join(
        f"  t{number}:\n    prefixes: [198.18.{number}.0/24]\n    gateways:\n"
        f"      t{number}-gw: {{at: s1:10{number}, mac: 02:aa:00:00:01:0{number}, edge: [100.65.0.1]}}\n"
        f"    mail: {{mode: proxy, proxies: proxies, scanners: scanners, servers: [198.18.{number}.10]}}\n"
        for number in range(7)
    )
    policy = parse_policy(DEMO.replace("\npools:", f"\n{more}\npools:"), "p.yaml")
    (trouble,) = troubles_of(policy, resting(*PROXIES))
    whose = "acme's, t0's, t1's, t2's, t3's and 3 other tenants' mail"
    assert trouble.lines[0].startswith(f"EMPTY: {whose} is deferred")
    assert len(trouble.consequences[0].tenants) == 8
