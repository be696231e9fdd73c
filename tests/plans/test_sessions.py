"""What becomes of open sessions when a policy is accepted."""

from dataclasses import replace

from controller.plans.sessions import AffectedSessions, forecast
from controller.policy.model import Policy
from controller.policy.parse import parse_policy
from controller.pools.conntrack import Counts
from tests.world import DEMO

POLICY = parse_policy(DEMO, "p.yaml")
PROXY1, PROXY2, ACME = "02:cc:00:00:00:01", "02:cc:00:00:00:02", "02:aa:00:00:00:01"
COUNTS = Counts({PROXY1: 5, PROXY2: 3, ACME: 2}, relayed={ACME: 4})


def without_member(name: str) -> Policy:
    pools = (replace(p, members=tuple(m for m in p.members if m.name != name)) for p in POLICY.pools)
    return replace(POLICY, pools=tuple(pools))


def test_an_edit_of_rules_ends_no_session() -> None:
    edited = parse_policy(DEMO.replace("ports: [80]", "ports: [8080]"), "p.yaml")
    found = forecast(POLICY, edited, COUNTS)
    assert (found.whole, found.staying, found.moved, found.ended) == (10, 10, (), ())


def test_sessions_of_a_member_that_is_removed_at_once_end() -> None:
    found = forecast(POLICY, without_member("proxy2"), COUNTS)
    assert found.ended == (AffectedSessions("member proxies.proxy2", 3, "it is removed at once"),)
    assert found.staying == 7


def test_a_member_at_another_port_takes_its_sessions_along() -> None:
    edited = parse_policy(DEMO.replace("proxy2: {at: s1:5", "proxy2: {at: s1:40"), "p.yaml")
    found = forecast(POLICY, edited, COUNTS)
    assert [(each.subject, each.count) for each in found.moved] == [("member proxies.proxy2", 3)]
    assert found.moved[0].text == "led to s1:40 instead of s1:5"


def test_all_sessions_of_a_tenant_end_when_its_home_moves() -> None:
    tenants = tuple(replace(t, home="s9" if t.name == "acme" else t.home) for t in POLICY.tenants)
    (ended,) = forecast(POLICY, replace(POLICY, tenants=tenants), COUNTS).ended
    assert ended == AffectedSessions("tenant acme", 6, "its home moves from s1 to s9")


def test_a_tenant_without_a_prefix_loses_an_unknown_number() -> None:
    tenants = tuple(replace(t, prefixes=t.prefixes[1:]) for t in POLICY.tenants if t.name == "acme")
    found = forecast(replace(POLICY, tenants=POLICY.tenants[:1]), replace(POLICY, tenants=tenants), COUNTS)
    assert [each.count for each in found.ended] == [None]
    assert (found.whole, found.staying) == (10, None)


def test_without_counts_nothing_is_claimed() -> None:
    found = forecast(POLICY, without_member("proxy2"), None)
    assert (found.whole, found.staying) == (None, None)
    assert [each.count for each in found.ended] == [None]
