"""Where new mail goes when a tenant's first stop takes nobody, and that nothing else ever goes unscanned."""

import os
from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from controller.compiler.compile import compile_policy
from controller.compiler.names import names_of
from controller.compiler.network_state import ALL_IS_WELL, Conditions
from controller.pipeline import fields as f
from controller.pipeline.fields import Role, Zone
from controller.pipeline.flows import Flow, match
from controller.pipeline.show import Shower
from controller.pipeline.tables import Table
from controller.policy.model import OnEmpty, Policy
from controller.policy.parse import parse_policy
from tests.compiler.conftest import POLICIES
from tests.compiler.reach import Reach, addresses_of, probes_between
from tests.examples import examples

DEMO = (POLICIES / "demo.yaml").read_text(encoding="utf-8")
GOLDEN = Path(__file__).parent / "golden"
MORE_RESPONDERS = """
  answerers:
    kind: responder
    edge: [192.0.2.1]
    members:
      answerer1: {at: s1:19, mac: 02:ff:00:00:00:09, addresses: [192.0.2.39]}
"""
CHOICES = [choice.value for choice in OnEmpty]
PROXIES = ("proxies.proxy1", "proxies.proxy2")
RESPONDER = ("responders.responder1",)
ACME = "203.0.113.10"


def demo_with(on_empty: str, more: str = "") -> Policy:
    """Return the demo's policy with another choice of acme's; globex has the default."""
    assert "on_empty: tempfail" in DEMO
    return parse_policy(DEMO.replace("on_empty: tempfail", f"on_empty: {on_empty}") + more, "p.yaml")


def resting(*names: str, unready: str = "") -> Conditions:
    shares = {f"pools.{name.replace('.', '.members.')}": 0 for name in names}
    return Conditions(shares, unready=frozenset({unready} - {""}))


def new_mail(policy: Policy, conditions: Conditions = ALL_IS_WELL, server: str = ACME) -> str:
    """Return, in words, what becomes of new mail to a server, and the rule that says so."""
    shower = Shower(names_of(policy))
    lines = [shower.flow(each) for each in compile_policy(policy, conditions)["s1"].flows.values()]
    wanted = f"zone=outside eth_type=ipv4 ip_dst={server} ip_proto=tcp tcp_dst=25 -> "
    (line,) = [each for each in lines if wanted in each]
    return line.partition(" -> ")[2]


@pytest.mark.parametrize("choice", CHOICES)
def test_mail_goes_to_the_pool_while_one_member_takes_some(choice: str) -> None:
    policy = demo_with(choice)
    usual = "to pool proxies  # tenants.acme.mail.servers.203.0.113.10"
    assert new_mail(policy) == usual
    for name in PROXIES:
        assert new_mail(policy, resting(name)) == usual


@pytest.mark.parametrize("choice", ["tempfail", "reject"])
def test_mail_for_an_empty_pool_is_answered_by_a_responder(choice: str) -> None:
    expected = "to pool responders  # tenants.acme.mail.on_empty"
    assert new_mail(demo_with(choice), resting(*PROXIES)) == expected


def test_mail_for_an_empty_pool_goes_straight_to_the_server_where_the_tenant_wants_that() -> None:
    expected = "goto route  # tenants.acme.mail.on_empty"
    assert new_mail(demo_with("bypass"), resting(*PROXIES)) == expected


@pytest.mark.parametrize("choice", ["tempfail", "reject"])
def test_without_a_responder_nobody_answers(choice: str) -> None:
    conditions = resting(*PROXIES, *RESPONDER)
    assert new_mail(demo_with(choice), conditions) == "drop  # tenants.acme.mail.on_empty"


def test_a_tenant_with_another_first_stop_keeps_it() -> None:
    for choice in CHOICES:
        line = new_mail(demo_with(choice), resting(*PROXIES), server="203.0.113.74")
        assert line.startswith("to pool scanners ")


def test_the_first_responders_by_name_that_take_sessions_answer() -> None:
    policy = demo_with("tempfail", MORE_RESPONDERS)
    assert new_mail(policy, resting(*PROXIES)).startswith("to pool answerers ")
    assert new_mail(policy, resting(*PROXIES, "answerers.answerer1")).startswith("to pool responders ")


def test_a_pool_that_is_only_full_or_not_yet_proved_puts_mail_off_and_never_passes_or_refuses_it() -> None:
    full, unproved = resting(unready="proxies"), resting(*PROXIES, unready="proxies")
    for conditions in (full, unproved):
        assert new_mail(demo_with("tempfail"), conditions).startswith("to pool responders ")
        assert new_mail(demo_with("bypass"), conditions).startswith("to pool proxies ")
        assert new_mail(demo_with("reject"), conditions).startswith("to pool proxies ")


def test_full_members_shed_mail_themselves_where_no_responder_is_there() -> None:
    conditions = resting(*RESPONDER, unready="proxies")
    assert new_mail(demo_with("tempfail"), conditions).startswith("to pool proxies ")


@pytest.mark.parametrize("choice", CHOICES)
def test_an_empty_pool_changes_the_flows_that_the_golden_file_says(choice: str) -> None:
    policy = demo_with(choice)
    shower = Shower(names_of(policy))
    states = [compile_policy(policy, each)["s1"] for each in (ALL_IS_WELL, resting(*PROXIES))]
    before, after = map(shower.state, states)
    lines = [f"- {line}" for line in before if line not in after]
    lines += [f"+ {line}" for line in after if line not in before]
    text, file = "\n".join([*lines, ""]), GOLDEN / f"empty-{choice}.txt"
    if os.environ.get("POSTERN_WRITE_GOLDEN"):
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), "remedy: make golden, and read the difference"


def straight_to_a_server(flows: list[Flow]) -> set[str]:
    """Return the rules whose flows lead to a port 25 from outside."""
    found = set()
    for flow in flows:
        wanted = {criterion.field: criterion.value for criterion in flow.match}
        is_straight = (flow.table, flow.goto) == (Table.SERVICE, Table.ROUTE)
        if is_straight and wanted.get(f.TCP_DST) == 25 and wanted[f.ZONE] != Zone.RELAY:
            found.add(flow.because)
    return found


_MEMBERS = [*PROXIES, "scanners.scanner1", "scanners.scanner2", *RESPONDER]
_CHOICE = st.sampled_from(CHOICES)


@hypothesis.given(_CHOICE, st.sets(st.sampled_from(_MEMBERS)), st.sampled_from(["", "proxies", "scanners"]))
@examples(60)
def test_whoever_rests_mail_goes_unscanned_exactly_where_a_tenant_wants_it_and_his_pool_is_empty(
    choice: str, members: set[str], unready: str
) -> None:
    compiled = compile_policy(demo_with(choice), resting(*members, unready=unready))["s1"]
    is_empty = set(PROXIES) <= members and unready != "proxies"
    expected = {"tenants.acme.mail.on_empty"} if choice == "bypass" and is_empty else set()
    assert straight_to_a_server(list(compiled.flows.values())) == expected


@pytest.mark.parametrize("conditions", [ALL_IS_WELL, resting(*PROXIES)], ids=["well", "empty"])
def test_no_flow_lets_a_responder_begin_anything(conditions: Conditions) -> None:
    flows = compile_policy(demo_with("tempfail"), conditions)["s1"].flows.values()
    role = match((f.ROLE, Role.RESPONDER))[0]
    of_responder = [flow for flow in flows if role in flow.match]
    legs = {flow.actions[0].value for flow in of_responder if flow.table is Table.TRACK}  # type: ignore[union-attr]
    assert {flow.table for flow in of_responder} == {Table.SOURCE, Table.HOME, Table.TRACK}
    assert legs == {Zone.OUTSIDE}


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("conditions", [ALL_IS_WELL, resting(*PROXIES)], ids=["well", "empty"])
def test_no_first_packet_of_a_responder_reaches_anybody_whatever_it_claims(
    choice: str, conditions: Conditions
) -> None:
    edge = Reach(demo_with(choice), conditions)
    (responder,) = [each for each in edge.neighbours if each.role is Role.RESPONDER]
    everybody = [address for some in addresses_of(edge.policy).values() for address in some]
    for probe in probes_between(everybody, everybody):
        assert edge.reached(responder, probe) == set()
        assert edge.reached(responder, replace(probe, source_port=25)) == set()
