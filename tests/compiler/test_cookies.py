"""A cookie leads from a flow back to the line of the policy that asked for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller.compiler.compile import compile_policy
from controller.ids import is_ours
from controller.openflow.encode import flow_to_wire
from controller.pipeline.flows import Flow
from controller.policy.model import Policy
from controller.policy.parse import parse_policy
from controller.runtime import Accepted
from controller.runtime.commands.policy import ExplainedFlow, Explanation, NotExplained
from controller.runtime.explain import explain_cookie, place_of
from tests.compiler.conftest import POLICIES

DEMO = POLICIES / "demo.yaml"
# Flows that every policy needs: no single line asked for them.
OF_THE_EDGE_ITSELF = {"policy"}


def flows_of(text: str) -> list[Flow]:
    return list(compile_policy(parse_policy(text, "demo.yaml"))["s1"].flows.values())


def accepted(policy: Policy) -> Accepted:
    return Accepted(1, "demo.yaml", policy, compile_policy(policy), {})


def to_row(switch: str, text: str, flow: Flow) -> ExplainedFlow:
    return ExplainedFlow(switch, text, flow.cookie, flow_to_wire(flow))


def explained(edge: Accepted, cookie: int) -> Explanation:
    found = explain_cookie(edge, cookie, to_row)
    assert isinstance(found, Explanation)
    return found


def keys_around(lines: list[str], number: int) -> str:
    """Return the path of block keys around a line, from its indentation: an oracle that knows no parser."""
    path: list[str] = []
    indent = 1_000
    for line in reversed(lines[:number]):
        text = line.lstrip()
        if text and not text.startswith("#") and len(line) - len(text) < indent:
            indent = len(line) - len(text)
            path.insert(0, text.split(":")[0])
    return ".".join(path)


def test_every_cookie_leads_to_a_line_of_the_policy_inside_its_rule() -> None:
    lines = DEMO.read_text(encoding="utf-8").splitlines()
    edge = accepted(parse_policy("\n".join(lines), "demo.yaml"))
    for flow in edge.states["s1"].flows.values():
        ((rule, place),) = [(each.rule, each.place) for each in explained(edge, flow.cookie).rules]
        assert rule == flow.because
        if rule not in OF_THE_EDGE_ITSELF:
            file, line, _ = place.split(":")
            around = keys_around(lines, int(line))
            assert file == "demo.yaml"
            assert around.count(".") >= min(rule.count("."), 1)
            if rule not in edge.policy.places:  # a default: the place is that of what it belongs to
                around = around.rpartition(".")[0]
            assert around.startswith(rule) or rule.startswith(around), f"{rule} is not in line {line}"


def test_flows_that_every_policy_needs_say_so() -> None:
    policy = parse_policy(DEMO.read_text(encoding="utf-8"), "demo.yaml")
    assert place_of(policy, "policy") == "the edge itself (every policy needs this flow)"


def test_every_cookie_bears_the_mark_of_the_edge() -> None:
    assert all(is_ours(flow.cookie) for flow in flows_of(DEMO.read_text(encoding="utf-8")))


def test_flows_of_one_rule_share_a_cookie_and_two_rules_never_do() -> None:
    flows = flows_of(DEMO.read_text(encoding="utf-8"))
    assert len({flow.cookie for flow in flows}) == len({flow.because for flow in flows})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("postern: 1", "# moved\n\n\npostern: 1"),
        ("uplinks:\n", "uplinks:\n  aaa: {at: s1:19, mac: 02:bb:00:00:00:09, edge: [100.64.9.1]}\n"),
        ("dpid: 1}", "dpid: 77, mac: 02:50:00:00:00:01}"),
        ("mac: 02:cc:00:00:00:01,", "mac: 02:cc:00:00:00:01, weight: 9,"),
        ("ports: [80]", "ports: [80, 443]"),
        ("at: s1:2,", "at: s1:12,"),
        ("- {then: scan}", "- {then: skip}"),
    ],
    ids=[
        "lines moved",
        "uplink added",
        "other dpid",
        "weight changed",
        "port published",
        "gateway moved",
        "other scan rule",
    ],
)
def test_the_cookie_stays_when_the_rule_stays(old: str, new: str) -> None:
    text = DEMO.read_text(encoding="utf-8")
    assert old in text
    before = {(flow.because, flow.cookie) for flow in flows_of(text)}
    after = {(flow.because, flow.cookie) for flow in flows_of(text.replace(old, new))}
    assert before <= after


def test_a_rule_under_another_name_has_another_cookie() -> None:
    flow = flows_of(DEMO.read_text(encoding="utf-8"))[0]
    assert replace(flow, because="tenants.other").cookie != flow.cookie


def test_a_foreign_cookie_is_said_to_be_foreign() -> None:
    policy = parse_policy(DEMO.read_text(encoding="utf-8"), str(Path("demo.yaml")))
    answer = explain_cookie(accepted(policy), 0x1234_0000_0000_0001, to_row)
    assert isinstance(answer, NotExplained)
    assert "not a cookie of this edge (it begins with 0x1234" in answer.reason
