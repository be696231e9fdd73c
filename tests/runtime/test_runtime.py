"""The single writer: what it takes up, what it sends, and what it says when something is wrong."""

import struct

import pytest

from common.config.errors import ConfigErrors
from controller.compiler.errors import CompileError
from controller.openflow import messages
from controller.pipeline.flows import SwitchState
from controller.pools.conntrack import Counts
from controller.store import StoreError
from controller.sync.outcomes import Port, PortChanged
from controller.sync.session import REPLY_TIMEOUT_S, RETRY_S, Phase
from tests.fake_switch import FakeSwitch, HeldFlow
from tests.world import DEMO, UTC, FakeChannel, MemoryStore, World

BAD = DEMO.replace("mode: proxy", "mode: magic")
WITHOUT_GLOBEX = DEMO[: DEMO.index("  # Mail for globex")] + DEMO[DEMO.index("pools:") :]
LESS_WEB = DEMO.replace("ports: [80]", "ports: [8080]")


@pytest.fixture
def world() -> World:
    world = World()
    world.runtime.start(world.now, UTC, "demo.yaml", DEMO)
    return world


def connected(world: World, switch: FakeSwitch | None = None) -> FakeChannel:
    channel = world.connect(switch=switch)
    world.settle(channel)
    return channel


def phase(world: World) -> Phase:
    return world.runtime.switches.records[1].session.phase


def test_a_switch_that_connects_is_brought_in_step_with_the_policy(world: World) -> None:
    channel = connected(world)
    assert phase(world) is Phase.IN_STEP
    assert len(channel.switch.tables.flows) == len(world.runtime.accepted.states["s1"].flows)  # type: ignore[union-attr]
    assert world.events("RevisionConfirmed") == [{"switch": "s1", "revision": 1}]


def test_an_edit_sends_only_what_differs(world: World) -> None:
    channel = connected(world)
    world.runtime.submit(world.now, "demo.yaml", LESS_WEB)
    world.settle(channel)
    assert channel.asked[-1] == "2 flows put, 2 deleted; groups: 0 new, 0 changed, 0 deleted"
    assert world.events("RevisionConfirmed")[-1]["revision"] == 2


def test_the_same_policy_again_sends_nothing_and_keeps_its_revision(world: World) -> None:
    channel = connected(world)
    asked = list(channel.asked)
    assert world.runtime.submit(world.now, "demo.yaml", DEMO).revision == 1
    assert channel.asked == asked


def test_a_bad_policy_changes_nothing_and_says_why(world: World) -> None:
    channel = connected(world)
    asked, accepted, published = list(channel.asked), world.runtime.accepted, len(world.published)
    with pytest.raises(ConfigErrors, match="mode"):
        world.runtime.submit(world.now, "bad.yaml", BAD)
    assert (world.runtime.accepted, channel.asked, len(world.published)) == (accepted, asked, published)
    assert [policy.revision for policy in world.store.policies] == [1]
    (refused,) = world.events("PolicyRefused")
    assert refused["file"] == "bad.yaml"
    assert "tenants.acme.mail.mode" in refused["reason"]


def test_rules_that_contradict_change_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.compiler.id_clashes.group_id", lambda _name: 7)
    accepted = world.runtime.accepted
    with pytest.raises(CompileError, match="share an internal number"):
        world.runtime.submit(world.now, "demo.yaml", LESS_WEB)
    assert world.runtime.accepted is accepted


def test_a_restart_with_a_bad_file_keeps_the_last_good_policy_and_says_why(world: World) -> None:
    again = World(world.store)
    again.runtime.start(again.now, UTC, "demo.yaml", BAD)
    assert again.runtime.accepted is not None
    assert again.runtime.accepted.revision == 1
    assert {tenant.name for tenant in again.runtime.accepted.policy.tenants} == {"acme", "globex"}
    (kept,) = again.events("LastGoodPolicyKept")
    assert kept["revision"] == 1
    assert "tenants.acme.mail.mode" in kept["reason"]


def test_a_first_start_with_a_bad_file_fails_with_the_reason() -> None:
    world = World()
    with pytest.raises(ConfigErrors, match="mode"):
        world.runtime.start(world.now, UTC, "demo.yaml", BAD)
    assert world.runtime.accepted is None


def test_a_restarted_controller_sends_nothing_to_a_switch_that_kept_its_tables(world: World) -> None:
    switch = connected(world).switch
    again = World(world.store)
    again.runtime.start(again.now, UTC, "demo.yaml", DEMO)
    channel = connected(again, switch)
    assert channel.asked == ["read"]
    assert again.events("RevisionConfirmed") == [{"switch": "s1", "revision": 1}]


def test_a_switch_that_reconnects_is_read_and_only_the_difference_is_sent(world: World) -> None:
    channel = connected(world)
    world.runtime.on_disconnected(1, channel)
    del channel.switch.tables.flows[next(iter(channel.switch.tables.flows))]
    back = connected(world, channel.switch)
    assert back.asked == ["read", "1 flows put, 0 deleted; groups: 0 new, 0 changed, 0 deleted"]
    assert phase(world) is Phase.IN_STEP


def test_a_switch_that_restarted_empty_is_given_everything_again(world: World) -> None:
    channel = connected(world)
    before = channel.switch.tables.copy()
    world.runtime.on_disconnected(1, channel)
    channel.switch.restart()
    connected(world, channel.switch)
    assert channel.switch.tables.flows == before.flows
    assert channel.switch.tables.groups == before.groups


def test_a_policy_accepted_while_a_switch_is_away_is_carried_out_when_it_comes_back(world: World) -> None:
    channel = connected(world)
    world.runtime.on_disconnected(1, channel)
    world.runtime.submit(world.now, "demo.yaml", LESS_WEB)
    connected(world, channel.switch)
    assert world.events("RevisionConfirmed")[-1] == {"switch": "s1", "revision": 2}


def test_the_end_of_an_old_connection_does_not_end_the_new_one(world: World) -> None:
    old = connected(world)
    new = connected(world, old.switch)
    world.runtime.on_disconnected(1, old)
    assert world.runtime.switches.records[1].channel is new
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
    assert "no answer within 15 s" in world.runtime.switches.records[1].session.last_error


def test_a_plan_that_the_switch_refuses_is_told_and_tried_again(world: World) -> None:
    channel = world.connect()
    reading = [channel.due.pop(0) for _ in range(4)]
    channel.due = reading
    for _ in range(4):
        for outcome in channel.exchange():
            world.runtime.on_outcome(world.now, 1, channel, outcome)
    opening = channel.due[0]
    (xid,) = struct.unpack_from("!I", opening, 4)
    error = messages.message(messages.Type.ERROR, xid, struct.pack("!HH", 5, 1) + opening)
    channel.due.clear()
    refused = channel._conversation.receive(error)
    assert refused is not None
    world.runtime.on_outcome(world.now, 1, channel, refused)
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
    world.runtime.submit(world.now, "demo.yaml", DEMO.replace("dpid: 1}", "dpid: 99}"))
    world.settle(stranger, dpid=99)
    assert world.runtime.switches.records[99].session.phase is Phase.IN_STEP
    assert world.runtime.switches.strangers == {}


def test_the_end_of_a_strangers_old_connection_does_not_forget_the_new_one(world: World) -> None:
    old, new = world.connect(dpid=99), world.connect(dpid=99)
    world.runtime.on_disconnected(99, old)
    assert world.runtime.switches.strangers == {99: new}
    world.runtime.on_disconnected(99, new)
    assert world.runtime.switches.strangers == {}


def test_a_switch_that_leaves_the_policy_is_let_go_with_its_flows(world: World) -> None:
    channel = connected(world)
    flows = dict(channel.switch.tables.flows)
    world.runtime.submit(world.now, "demo.yaml", DEMO.replace("dpid: 1}", "dpid: 2}"))
    world.settle(channel)
    assert channel.switch.tables.flows == flows
    assert world.runtime.switches.strangers == {1: channel}
    assert set(world.runtime.switches.records) == {2}


def test_a_switch_under_a_new_name_keeps_its_session(world: World) -> None:
    channel = connected(world)
    world.runtime.submit(world.now, "demo.yaml", DEMO.replace("s1", "edge1"))
    world.settle(channel)
    assert world.runtime.switches.records[1].session.name == "edge1"
    assert channel.asked.count("read") == 1


def test_a_store_that_fails_changes_nothing_and_says_why(world: World) -> None:
    channel = connected(world)
    asked, accepted = list(channel.asked), world.runtime.accepted
    world.store.failure = "postern.db: disk full; remedy: make room"
    with pytest.raises(StoreError, match="make room"):
        world.runtime.submit(world.now, "demo.yaml", LESS_WEB)
    assert (world.runtime.accepted, channel.asked) == (accepted, asked)
    assert "disk full" in world.events("PolicyRefused")[0]["reason"]


def test_a_store_that_fails_drains_nobody(world: World) -> None:
    connected(world)
    world.store.failure = "disk full"
    with pytest.raises(StoreError):
        world.runtime.drain(world.now, "proxy1", True)
    assert world.runtime.roster.resting == frozenset()


def test_a_store_that_fails_at_the_start_stops_the_start() -> None:
    store = MemoryStore()
    store.failure = "disk full"
    world = World(store)
    with pytest.raises(StoreError, match="disk full"):
        world.runtime.start(world.now, UTC, "demo.yaml", DEMO)


def test_gateways_that_cannot_be_told_do_not_keep_the_switches_from_it(world: World) -> None:
    channel = connected(world)
    world.publish_failure = OSError("read-only file system")
    world.runtime.submit(world.now, "demo.yaml", LESS_WEB)
    world.settle(channel)
    assert world.events("GatewaysNotPublished") == [{"reason": "read-only file system"}]
    assert world.events("RevisionConfirmed")[-1]["revision"] == 2


def test_gateways_are_told_of_each_accepted_policy(world: World) -> None:
    world.runtime.submit(world.now, "demo.yaml", WITHOUT_GLOBEX)
    tenants = [{t["name"] for s in each.values() for t in s.get("tenants", [])} for each in world.published]
    assert tenants == [{"acme", "globex"}, {"acme"}]


def test_a_port_that_the_policy_needs_and_the_switch_lacks_is_named(world: World) -> None:
    connected(world, FakeSwitch(ports=5))
    assert world.events("PortMissing") == [{"switch": "s1", "ports": [6, 7, 8, 9, 10, 11]}]
    assert world.runtime.switches.records[1].missing_ports == (6, 7, 8, 9, 10, 11)


def test_a_missing_port_that_appears_is_missed_no_more(world: World) -> None:
    channel = connected(world, FakeSwitch(ports=10))
    appeared = PortChanged(Port(11, "02:70:00:00:00:0b", "p11", False), was_deleted=False)
    world.runtime.on_outcome(world.now, 1, channel, appeared)
    assert world.runtime.switches.records[1].missing_ports == ()
    assert world.events("PortCameUp")[-1]["port"] == 11


def test_a_port_that_goes_down_is_told_once(world: World) -> None:
    channel = connected(world)
    down = PortChanged(Port(2, "02:70:00:00:00:02", "p2", True), was_deleted=False)
    for _ in range(2):
        world.runtime.on_outcome(world.now, 1, channel, down)
    assert [event["port"] for event in world.events("PortWentDown")] == [2]


def test_a_port_that_is_taken_out_counts_as_down_and_missing(world: World) -> None:
    channel = connected(world)
    gone = PortChanged(Port(2, "02:70:00:00:00:02", "p2", False), was_deleted=True)
    world.runtime.on_outcome(world.now, 1, channel, gone)
    assert [event["port"] for event in world.events("PortWentDown")] == [2]
    assert world.events("PortMissing") == [{"switch": "s1", "ports": [2]}]


def test_a_plan_for_a_policy_that_is_not_accepted_changes_nothing(world: World) -> None:
    channel = connected(world)
    asked = list(channel.asked)
    _, states = world.runtime.preview("new.yaml", LESS_WEB)
    assert world.runtime.plan_for("s1", states["s1"]).size == 4
    assert channel.asked == asked


def test_a_plan_for_an_unknown_switch_is_everything(world: World) -> None:
    _, states = world.runtime.preview("demo.yaml", DEMO)
    assert len(world.runtime.plan_for("s9", states["s1"]).put_flows) == len(states["s1"].flows)
    assert world.runtime.plan_for("s9", SwitchState()).is_empty


def test_a_drained_member_stays_drained_after_a_restart(world: World) -> None:
    channel = connected(world)
    world.runtime.drain(world.now, "proxy1", True)
    world.settle(channel)
    again = World(world.store)
    again.runtime.start(again.now, UTC, "demo.yaml", DEMO)
    assert again.runtime.roster.resting == {"pools.proxies.members.proxy1"}
    assert connected(again, channel.switch).asked == ["read"]


def flows_of(world: World, rule: str) -> int:
    accepted = world.runtime.accepted
    assert accepted is not None
    return sum(flow.because == rule for flow in accepted.states["s1"].flows.values())


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("tempfail", "is put off by a responder, senders come back"),
        ("bypass", "is passed on UNSCANNED"),
        ("reject", "is REFUSED FOR GOOD by a responder"),
    ],
)
def test_a_pool_that_becomes_empty_is_told_once_with_the_consequence_and_again_when_it_comes_back(
    world: World, choice: str, words: str
) -> None:
    world.runtime.submit(world.now, "demo.yaml", DEMO.replace("on_empty: tempfail", f"on_empty: {choice}"))
    channel = connected(world)
    for name in ("proxy1", "proxy2", "scanner1"):
        world.runtime.drain(world.now, name, True)
    expected = {
        "pool": "proxies",
        "tenants": ["acme"],
        "consequences": [f"EMPTY: acme's mail {words} (on_empty: {choice})"],
    }
    assert world.events("PoolBecameEmpty") == [expected]
    assert world.events("PoolCameBack") == []
    assert flows_of(world, "tenants.acme.mail.on_empty") == 2
    world.runtime.drain(world.now, "proxy2", False)
    assert world.events("PoolCameBack") == [expected]
    assert flows_of(world, "tenants.acme.mail.on_empty") == 0
    world.settle(channel)
    assert phase(world) is Phase.IN_STEP


def test_another_choice_while_a_pool_is_empty_is_told_as_well(world: World) -> None:
    for name in ("proxy1", "proxy2"):
        world.runtime.drain(world.now, name, True)
    world.runtime.submit(world.now, "demo.yaml", DEMO.replace("on_empty: tempfail", "on_empty: bypass"))
    lines = [line for event in world.events("PoolBecameEmpty") for line in event["consequences"]]
    assert [line.split("(")[1] for line in lines] == ["on_empty: tempfail)", "on_empty: bypass)"]


def test_load_alone_never_passes_mail_unscanned(world: World) -> None:
    text = DEMO.replace("on_empty: tempfail", "on_empty: bypass")
    text = text.replace("    kind: mail-proxy\n", "    kind: mail-proxy\n    limit: 5\n")
    world.runtime.submit(world.now, "demo.yaml", text)
    world.runtime.on_counts(world.now, Counts({"02:cc:00:00:00:01": 5, "02:cc:00:00:00:02": 50}))
    assert [event["state"] for event in world.events("MemberChanged")] == ["full", "full"]
    (event,) = world.events("PoolBecameEmpty")
    assert event["consequences"][0].startswith("FULL: acme's mail goes to full members")
    assert flows_of(world, "tenants.acme.mail.on_empty") == 0
    world.runtime.on_counts(world.now, Counts({"02:cc:00:00:00:01": 5, "02:cc:00:00:00:02": 4}))
    assert len(world.events("PoolCameBack")) == 1


def test_a_tenant_given_the_addresses_of_a_member_that_leaves_takes_them_at_once(world: World) -> None:
    channel = connected(world)
    member = next(line for line in DEMO.splitlines() if "proxy2:" in line)
    moved = DEMO.replace(f"{member}\n", "").replace("203.0.113.0/26,", "203.0.113.0/26, 192.0.2.12/31,")
    world.runtime.submit(world.now, "demo.yaml", moved)
    world.settle(channel)
    assert phase(world) is Phase.IN_STEP
    assert world.events("RevisionConfirmed")[-1]["revision"] == 2
