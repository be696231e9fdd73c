"""The single writer: what it takes up, what it sends, and what it says when something is wrong."""

import struct
from ipaddress import ip_address, ip_network

import pytest

from common.config.errors import ConfigErrors
from common.wire.codec import to_media
from controller.compiler.errors import CompileError
from controller.openflow import messages
from controller.policy.model import Action
from controller.pools.conntrack import Counts
from controller.runtime.commands.members import DrainMember, NoteCounts
from controller.runtime.commands.policy import ApplyPolicy, PlanPolicy
from controller.runtime.commands.suspicion import (
    AllowSource,
    EndAllowance,
    EndDecisions,
    MakeDecisions,
    ReportEvidence,
)
from controller.runtime.principals import OPERATOR, AccessRole, Principal
from controller.store import StoreError
from controller.suspicion.decision import Request, Scope
from controller.suspicion.scores import Evidence
from controller.sync.outcomes import Port, PortChanged
from controller.sync.refusal import RETRY_S
from controller.sync.session import REPLY_TIMEOUT_S, Phase
from tests.fake_switch import FakeSwitch, HeldFlow
from tests.world import DEMO, FakeChannel, MemoryStore, World

BAD = DEMO.replace("mode: proxy", "mode: magic")
WITHOUT_GLOBEX = DEMO[: DEMO.index("  # Mail for globex")] + DEMO[DEMO.index("pools:") :]
LESS_WEB = DEMO.replace("ports: [80]", "ports: [8080]")


def connected(world: World, switch: FakeSwitch | None = None) -> FakeChannel:
    channel = world.connect(switch=switch)
    world.settle(channel)
    return channel


def phase(world: World) -> Phase:
    return world.core.switches.records[1].session.phase


def test_a_switch_that_connects_is_brought_in_step_with_the_policy(world: World) -> None:
    channel = connected(world)
    assert phase(world) is Phase.IN_STEP
    assert len(channel.switch.tables.flows) == len(world.core.accepted.states["s1"].flows)  # type: ignore[union-attr]
    assert world.events("RevisionConfirmed") == [{"switch": "s1", "revision": 1}]


def test_an_edit_sends_only_what_differs(world: World) -> None:
    channel = connected(world)
    world.apply(LESS_WEB)
    world.settle(channel)
    assert channel.asked[-1] == "2 flows put, 2 deleted; groups: 0 new, 0 changed, 0 deleted"
    assert world.events("RevisionConfirmed")[-1]["revision"] == 2


def test_the_same_policy_again_sends_nothing_and_keeps_its_revision(world: World) -> None:
    channel = connected(world)
    asked = list(channel.asked)
    assert world.apply(DEMO).revision == 1
    assert channel.asked == asked


def test_a_bad_policy_changes_nothing_and_says_why(world: World) -> None:
    channel = connected(world)
    asked, accepted, published = list(channel.asked), world.core.accepted, len(world.published)
    with pytest.raises(ConfigErrors, match="mode"):
        world.apply(BAD, "bad.yaml")
    assert (world.core.accepted, channel.asked, len(world.published)) == (accepted, asked, published)
    assert [policy.revision for policy in world.store.policies] == [1]
    (refused,) = world.events("PolicyRefused")
    assert refused["file"] == "bad.yaml"
    assert "tenants.acme.mail.mode" in refused["reason"]


def test_the_journal_says_on_whose_behalf_something_was_changed(world: World) -> None:
    by = Principal("night-shift", AccessRole.OPERATOR)
    world.handle(ApplyPolicy("demo.yaml", LESS_WEB), by)
    with pytest.raises(ConfigErrors):
        world.handle(ApplyPolicy("demo.yaml", BAD), by)
    world.handle(DrainMember("proxy1", True), by)
    source = ip_network("198.51.100.66")
    made = world.handle(MakeDecisions((Request(Scope(source), Action.DROP, "api"),)), by)
    world.handle(EndDecisions((made.accepted[0].number,)), by)
    allowance = world.handle(AllowSource(source, "our auditors"), by)
    world.handle(EndAllowance(allowance.number), by)
    for name in [
        "PolicyAccepted",
        "PolicyRefused",
        "MemberChanged",
        "DecisionMade",
        "DecisionEnded",
        "SourceAllowed",
        "AllowanceEnded",
    ]:
        assert world.events(name)[-1]["by"] == "night-shift (operator)", name


def test_what_the_controller_does_by_itself_is_its_own(world: World) -> None:
    world.handle(ReportEvidence((Evidence("decoy-login", ip_address("198.51.100.66")),)), OPERATOR)
    world.tick(4_000.0)
    assert [event["by"] for event in world.events("DecisionMade")] == ["controller"]
    assert [event["by"] for event in world.events("DecisionEnded")] == ["controller"]
    assert [event["by"] for event in world.events("PolicyAccepted")] == ["controller"]


def test_rules_that_contradict_change_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.compiler.id_clashes.group_id", lambda _name: 7)
    accepted = world.core.accepted
    with pytest.raises(CompileError, match="have the same internal number"):
        world.apply(LESS_WEB)
    assert world.core.accepted is accepted


def test_a_restart_with_a_bad_file_keeps_the_last_good_policy_and_says_why(world: World) -> None:
    again = World(world.store)
    again.start("demo.yaml", BAD)
    assert again.core.accepted is not None
    assert again.core.accepted.revision == 1
    assert {tenant.name for tenant in again.core.accepted.policy.tenants} == {"acme", "globex"}
    (kept,) = again.events("LastGoodPolicyKept")
    assert kept["revision"] == 1
    assert "tenants.acme.mail.mode" in kept["reason"]


def test_a_first_start_with_a_bad_file_fails_with_the_reason() -> None:
    world = World()
    with pytest.raises(ConfigErrors, match="mode"):
        world.start("demo.yaml", BAD)
    assert world.core.accepted is None


def test_a_restarted_controller_sends_nothing_to_a_switch_that_kept_its_tables(world: World) -> None:
    switch = connected(world).switch
    again = World(world.store)
    again.start()
    channel = connected(again, switch)
    assert channel.asked == ["read"]
    assert again.events("RevisionConfirmed") == [{"switch": "s1", "revision": 1}]


def test_a_switch_that_reconnects_is_read_and_only_the_difference_is_sent(world: World) -> None:
    channel = connected(world)
    world.disconnect(1, channel)
    del channel.switch.tables.flows[next(iter(channel.switch.tables.flows))]
    back = connected(world, channel.switch)
    assert back.asked == ["read", "1 flows put, 0 deleted; groups: 0 new, 0 changed, 0 deleted"]
    assert phase(world) is Phase.IN_STEP


def test_a_switch_that_restarted_empty_is_given_everything_again(world: World) -> None:
    channel = connected(world)
    before = channel.switch.tables.copy()
    world.disconnect(1, channel)
    channel.switch.restart()
    connected(world, channel.switch)
    assert channel.switch.tables.flows == before.flows
    assert channel.switch.tables.groups == before.groups


def test_a_policy_accepted_while_a_switch_is_away_is_carried_out_when_it_comes_back(world: World) -> None:
    channel = connected(world)
    world.disconnect(1, channel)
    world.apply(LESS_WEB)
    connected(world, channel.switch)
    assert world.events("RevisionConfirmed")[-1] == {"switch": "s1", "revision": 2}


def test_the_end_of_an_old_connection_does_not_end_the_new_one(world: World) -> None:
    old = connected(world)
    new = connected(world, old.switch)
    world.disconnect(1, old)
    assert world.core.switches.records[1].channel is new
    assert phase(world) is Phase.IN_STEP


def test_what_an_old_connection_still_says_is_not_heard(world: World) -> None:
    old = world.connect()
    new = world.connect(switch=old.switch)
    world.settle(old)
    assert new.asked == ["read"]
    assert phase(world) is Phase.READING


def test_a_switch_that_never_answers_is_read_again(world: World) -> None:
    channel = world.connect()
    channel.due.clear()
    world.tick(REPLY_TIMEOUT_S)
    assert channel.asked == ["read", "read"]
    assert "no answer within 15 s" in world.core.switches.records[1].session.last_error


def test_a_plan_that_the_switch_refuses_is_told_and_tried_again(world: World) -> None:
    channel = world.connect()
    for _ in range(len(channel.due)):
        for outcome in channel.exchange():
            world.hear(1, channel, outcome)
    opening = channel.due[0]
    (xid,) = struct.unpack_from("!I", opening, 4)
    error = messages.message(messages.Type.ERROR, xid, struct.pack("!HH", 5, 1) + opening)
    channel.due.clear()
    refused = channel._conversation.receive(error)
    assert refused is not None
    world.hear(1, channel, refused)
    assert phase(world) is Phase.REFUSED
    assert "flow-mod failed, code 1" in world.events("PlanRefused")[0]["reason"]
    world.tick(RETRY_S)
    world.settle(channel)
    assert phase(world) is Phase.IN_STEP


def test_a_switch_that_the_policy_does_not_name_is_left_alone(world: World) -> None:
    stranger = world.connect(dpid=99)
    stranger.switch.tables.flows[(0, 1, b"")] = HeldFlow(7, b"", b"")
    world.settle(stranger, dpid=99)
    world.tick(100.0)
    assert stranger.asked == []
    assert len(stranger.switch.tables.flows) == 1
    assert world.events("UnknownSwitchConnected") == [{"dpid": 99}]


def test_a_strange_switch_is_taken_up_when_a_policy_names_it(world: World) -> None:
    stranger = world.connect(dpid=99)
    world.apply(DEMO.replace("dpid: 1}", "dpid: 99}"))
    world.settle(stranger, dpid=99)
    assert world.core.switches.records[99].session.phase is Phase.IN_STEP
    assert world.core.switches.strangers == {}


def test_the_end_of_a_strangers_old_connection_does_not_forget_the_new_one(world: World) -> None:
    old, new = world.connect(dpid=99), world.connect(dpid=99)
    world.disconnect(99, old)
    assert world.core.switches.strangers == {99: new}
    world.disconnect(99, new)
    assert world.core.switches.strangers == {}


def test_a_switch_that_leaves_the_policy_is_let_go_with_its_flows(world: World) -> None:
    channel = connected(world)
    flows = dict(channel.switch.tables.flows)
    world.apply(DEMO.replace("dpid: 1}", "dpid: 2}"))
    world.settle(channel)
    assert channel.switch.tables.flows == flows
    assert world.core.switches.strangers == {1: channel}
    assert set(world.core.switches.records) == {2}


def test_a_switch_under_a_new_name_keeps_its_session(world: World) -> None:
    channel = connected(world)
    world.apply(DEMO.replace("s1", "edge1"))
    world.settle(channel)
    assert world.core.switches.records[1].session.name == "edge1"
    assert channel.asked.count("read") == 1


def test_a_store_that_fails_changes_nothing_and_says_why(world: World) -> None:
    channel = connected(world)
    asked, accepted = list(channel.asked), world.core.accepted
    world.store.failure = "postern.db: disk full; remedy: make room"
    with pytest.raises(StoreError, match="make room"):
        world.apply(LESS_WEB)
    assert (world.core.accepted, channel.asked) == (accepted, asked)
    assert "disk full" in world.events("PolicyRefused")[0]["reason"]


def test_a_store_that_fails_drains_nobody(world: World) -> None:
    connected(world)
    world.store.failure = "disk full"
    with pytest.raises(StoreError):
        world.handle(DrainMember("proxy1", True))
    assert world.core.roster.resting == frozenset()


def test_a_first_policy_that_cannot_be_stored_is_not_in_force() -> None:
    store = MemoryStore()
    store.failure = "disk full"
    world = World(store)
    world.start()
    assert world.core.accepted is None
    assert world.events("PolicyRefused")[-1]["reason"] == "disk full"


def test_gateways_that_cannot_be_told_do_not_keep_the_switches_from_it(world: World) -> None:
    channel = connected(world)
    world.publish_failure = OSError("read-only file system")
    world.apply(LESS_WEB)
    world.settle(channel)
    assert world.events("GatewaysNotPublished") == [{"reason": "read-only file system"}]
    assert world.events("RevisionConfirmed")[-1]["revision"] == 2


def test_gateways_are_told_of_each_accepted_policy(world: World) -> None:
    world.apply(WITHOUT_GLOBEX)
    responders = [each["responders"] for each in world.published]
    tenants = [{tenant["name"] for tenant in to_media(each)["tenants"]} for each in responders]
    assert tenants == [{"acme", "globex"}, {"acme"}]


def test_a_port_that_the_policy_needs_and_the_switch_lacks_is_named(world: World) -> None:
    connected(world, FakeSwitch(ports=5))
    assert world.events("PortMissing") == [{"switch": "s1", "ports": [6, 7, 8, 9, 10, 11]}]
    assert world.core.switches.records[1].missing_ports == (6, 7, 8, 9, 10, 11)


def test_a_missing_port_that_appears_is_missed_no_more(world: World) -> None:
    channel = connected(world, FakeSwitch(ports=10))
    appeared = PortChanged(Port(11, "02:70:00:00:00:0b", "p11", False), was_deleted=False)
    world.hear(1, channel, appeared)
    assert world.core.switches.records[1].missing_ports == ()
    assert world.events("PortCameUp")[-1]["port"] == 11


def test_a_port_that_goes_down_is_told_once(world: World) -> None:
    channel = connected(world)
    down = PortChanged(Port(2, "02:70:00:00:00:02", "p2", True), was_deleted=False)
    for _ in range(2):
        world.hear(1, channel, down)
    assert [event["port"] for event in world.events("PortWentDown")] == [2]


def test_a_port_that_is_taken_out_counts_as_down_and_missing(world: World) -> None:
    channel = connected(world)
    gone = PortChanged(Port(2, "02:70:00:00:00:02", "p2", False), was_deleted=True)
    world.hear(1, channel, gone)
    assert [event["port"] for event in world.events("PortWentDown")] == [2]
    assert world.events("PortMissing") == [{"switch": "s1", "ports": [2]}]


def test_a_plan_for_a_policy_that_is_not_accepted_changes_nothing(world: World) -> None:
    channel = connected(world)
    asked = list(channel.asked)
    planned = world.handle(PlanPolicy("new.yaml", LESS_WEB))
    (plan,) = planned.switches
    assert str(plan.policy) == "2 flows put, 2 deleted; groups: 0 new, 0 changed, 0 deleted"
    assert channel.asked == asked


def test_a_plan_for_an_unknown_switch_is_everything(world: World) -> None:
    (plan,) = world.handle(PlanPolicy("demo.yaml", DEMO.replace("s1", "s9"))).switches
    whole = len(world.core.accepted.states["s1"].flows)  # type: ignore[union-attr]
    assert (plan.switch, plan.is_known) == ("s9", False)
    assert str(plan.policy).startswith(f"{whole} flows put, 0 deleted")


def test_a_drained_member_stays_drained_after_a_restart(world: World) -> None:
    channel = connected(world)
    world.handle(DrainMember("proxy1", True))
    world.settle(channel)
    again = World(world.store)
    again.start()
    assert again.core.roster.resting == {"pools.proxies.members.proxy1"}
    assert connected(again, channel.switch).asked == ["read"]


def flows_of(world: World, rule: str) -> int:
    accepted = world.core.accepted
    assert accepted is not None
    return sum(flow.because == rule for flow in accepted.states["s1"].flows.values())


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("tempfail", "is deferred by a responder, senders retry"),
        ("bypass", "is delivered UNSCANNED"),
        ("reject", "is REJECTED PERMANENTLY by a responder"),
    ],
)
def test_a_pool_that_becomes_empty_is_told_once_with_the_consequence_and_again_when_it_comes_back(
    world: World, choice: str, words: str
) -> None:
    world.apply(DEMO.replace("on_empty: tempfail", f"on_empty: {choice}"))
    channel = connected(world)
    for name in ("proxy1", "proxy2", "scanner1"):
        world.handle(DrainMember(name, True))
    expected = {
        "pool": "proxies",
        "tenants": ["acme"],
        "consequences": [f"EMPTY: acme's mail {words} (on_empty: {choice})"],
    }
    assert world.events("PoolBecameEmpty") == [expected]
    assert world.events("PoolCameBack") == []
    assert flows_of(world, "tenants.acme.mail.on_empty") == 2
    world.handle(DrainMember("proxy2", False))
    assert world.events("PoolCameBack") == [expected]
    assert flows_of(world, "tenants.acme.mail.on_empty") == 0
    world.settle(channel)
    assert phase(world) is Phase.IN_STEP


def test_another_choice_while_a_pool_is_empty_is_told_as_well(world: World) -> None:
    for name in ("proxy1", "proxy2"):
        world.handle(DrainMember(name, True))
    world.apply(DEMO.replace("on_empty: tempfail", "on_empty: bypass"))
    lines = [line for event in world.events("PoolBecameEmpty") for line in event["consequences"]]
    assert [line.split("(")[1] for line in lines] == ["on_empty: tempfail)", "on_empty: bypass)"]


def test_load_alone_never_passes_mail_unscanned(world: World) -> None:
    text = DEMO.replace("on_empty: tempfail", "on_empty: bypass")
    text = text.replace("    kind: mail-proxy\n", "    kind: mail-proxy\n    limit: 5\n")
    world.apply(text)
    world.handle(NoteCounts(Counts({"02:cc:00:00:00:01": 5, "02:cc:00:00:00:02": 50})))
    assert [event["state"] for event in world.events("MemberChanged")] == ["full", "full"]
    (event,) = world.events("PoolBecameEmpty")
    assert event["consequences"][0].startswith("FULL: acme's mail goes to full members")
    assert flows_of(world, "tenants.acme.mail.on_empty") == 0
    world.handle(NoteCounts(Counts({"02:cc:00:00:00:01": 5, "02:cc:00:00:00:02": 4})))
    assert len(world.events("PoolCameBack")) == 1


def test_a_tenant_given_the_addresses_of_a_member_that_leaves_takes_them_at_once(world: World) -> None:
    channel = connected(world)
    member = next(line for line in DEMO.splitlines() if "proxy2:" in line)
    moved = DEMO.replace(f"{member}\n", "").replace("203.0.113.0/26,", "203.0.113.0/26, 192.0.2.12/31,")
    world.apply(moved)
    world.settle(channel)
    assert phase(world) is Phase.IN_STEP
    assert world.events("RevisionConfirmed")[-1]["revision"] == 2
