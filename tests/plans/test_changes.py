"""What an edit changes, in words."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from controller.compiler.network_state import ALL_IS_WELL, Conditions
from controller.plans.changes import NetworkPolicy, PolicyChange, changes_between
from controller.policy.model import Policy
from controller.policy.parse import parse_policy
from controller.pools.members import PoolMember
from tests.runtime.test_policy_keys import changes_of, full_policy
from tests.world import DEMO

# Places are not the policy's meaning; a check's kind follows from its key; weights have a test of their own.
WITHOUT = {"Policy.places", "HttpCheck.kind", "TcpCheck.kind", "Suspicion.weights"}
PROXY2 = "pools.proxies.members.proxy2"


def network(text: str, conditions: Conditions = ALL_IS_WELL, **members: PoolMember) -> NetworkPolicy:
    by_path: Mapping[str, PoolMember] = {each.path: each for each in members.values()}
    return NetworkPolicy(parse_policy(text, "p.yaml"), conditions, by_path)


def lines(before: NetworkPolicy, after: NetworkPolicy) -> list[str]:
    return [f"{each.subject}: {each.text}" for each in changes_between(before, after)]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("ports: [80]", "ports: [8080]", "tenant acme: services.web.ports: + 8080; - 80"),
        ("postern: 1", "postern: 1\nsuspicion: {crowd: 9}", "suspicion: crowd: 5 -> 9"),
        ("postern: 1", "postern: 1\nsuspicion: {weights: {scan: 3}}", "suspicion: weights: none -> scan 3"),
        ("proxy2: {at", "proxy2: {weight: 3, at", "member proxies.proxy2: weight: 1 -> 3"),
        ("proxy2: {at", "proxy2: {limit: 3, at", "member proxies.proxy2: limit: 0 -> 3"),
        ("proxy2: {at", "proxy9: {at", "member proxies.proxy2: removed"),
        ("proxy2: {at", "proxy9: {at", "member proxies.proxy9: added"),
    ],
)
def test_a_line_names_the_subject_the_key_and_both_values(old: str, new: str, line: str) -> None:
    assert old in DEMO
    assert line in lines(network(DEMO), network(DEMO.replace(old, new)))


def test_the_way_of_new_mail_is_told_with_that_until_now() -> None:
    found = lines(network(DEMO), NetworkPolicy(_with_direct_mail(), ALL_IS_WELL, {}))
    assert "tenant acme: mail.mode: proxy -> direct" in found
    assert "tenant acme: new mail goes to scanners (direct); until now it goes to proxies (proxy)" in found


def _with_direct_mail() -> Policy:
    policy = parse_policy(DEMO, "p.yaml")
    globex = next(each.mail for each in policy.tenants if each.name == "globex")
    assert globex is not None
    tenants = tuple(
        replace(each, mail=replace(each.mail, mode=globex.mode, proxies="")) if each.mail else each
        for each in policy.tenants
    )
    return replace(policy, tenants=tenants)


def test_new_mail_that_an_edit_would_leave_without_a_pool_is_told() -> None:
    dead = Conditions({PROXY2: 0})
    only_proxy2 = DEMO.replace(DEMO[DEMO.index("      proxy1:") : DEMO.index("      proxy2:")], "")
    found = lines(network(DEMO, dead), network(only_proxy2, dead))
    assert any(line.startswith("pool proxies: becomes EMPTY: ") for line in found)
    assert any("new mail is deferred by" in line for line in found)


def test_a_member_with_sessions_leaves_in_its_own_time() -> None:
    leaving = PoolMember("proxies", "proxy2", "02:cc:00:00:00:02", 1, is_leaving=True)
    (line,) = lines(network(DEMO), network(DEMO, proxy2=leaving))
    assert line.startswith("member proxies.proxy2: leaves: it gets no new sessions, and stays until ")


def test_a_member_that_was_drained_before_stays_so() -> None:
    drained = PoolMember("proxies", "proxy9", "02:cc:00:00:00:02", 1, is_drained=True)
    found = lines(network(DEMO), network(DEMO.replace("proxy2: {at", "proxy9: {at"), proxy9=drained))
    assert "member proxies.proxy9: added; it was drained, and stays so" in found


def test_every_field_of_a_policy_has_words() -> None:
    policy = full_policy()
    before = NetworkPolicy(policy, ALL_IS_WELL, {})
    silent, tried = set(), 0
    for names, changed in changes_of(policy, WITHOUT):
        tried += 1
        try:
            found = changes_between(before, NetworkPolicy(changed, ALL_IS_WELL, {}))
        except (StopIteration, RuntimeError):  # it names a pool that is not there: no policy
            continue
        if changed != policy and not found:
            silent.add(names)
    assert silent == set()
    assert tried > 100


def test_the_same_policy_changes_nothing() -> None:
    nothing: tuple[PolicyChange, ...] = ()
    assert changes_between(network(DEMO), network(DEMO)) == nothing
