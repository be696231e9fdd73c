"""A controller that restarts: what it remembers of the network, and that its first plan is not a guess."""

import json
from typing import Any

import pytest

from common.wire.health import CheckKind, HealthReport
from controller.pools.conntrack import Counts
from controller.pools.members import MemberState
from controller.runtime.commands.members import DrainMember, NoteCounts, ReportMember
from controller.runtime.commands.switches import ReadStatus
from controller.sync.outcomes import Port, PortChanged
from controller.sync.session import Phase
from tests.fake_switch import FakeSwitch
from tests.world import DEMO, POLICIES, FakeChannel, MemoryStore, World

BYPASS = DEMO.replace("on_empty: tempfail", "on_empty: bypass")
LIMITED = DEMO.replace("    kind: mail-proxy\n", "    kind: mail-proxy\n    limit: 5\n")
RING = (POLICIES / "ring.yaml").read_text(encoding="utf-8")


def begun(text: str = DEMO) -> tuple[World, FakeChannel]:
    """Return a controller whose switch holds what it must hold."""
    world = World()
    world.start("demo.yaml", text)
    channel = world.connect()
    world.settle(channel)
    return world, channel


def restarted(before: World, channel: FakeChannel, text: str = DEMO) -> tuple[World, FakeChannel]:
    """Return a new controller with the same store and the same switch, after it has read the switch."""
    before.settle(channel)
    world = World(before.store)
    world.start("demo.yaml", text)
    again = world.connect(switch=channel.switch)
    world.settle(again)
    return world, again


def report(world: World, member: str, *reports: bool, failed: tuple[CheckKind, ...] = ()) -> None:
    for good in reports:
        world.handle(ReportMember(member, HealthReport(good, "" if good else "refused", failed=failed)))


def state(world: World, member: str) -> MemberState:
    return world.core.roster.find(member).state


def test_with_a_drained_member_nothing_is_sent() -> None:
    world, channel = begun()
    world.handle(DrainMember("proxy1", True))
    _, again = restarted(world, channel)
    assert again.asked == ["read"]


def test_with_a_member_that_its_agent_called_down_nothing_is_sent() -> None:
    world, channel = begun()
    report(world, "scanner1", False, False, failed=(CheckKind.CLAMD,))
    new, again = restarted(world, channel)
    assert again.asked == ["read"]
    member = new.core.roster.find("scanner1")
    assert (member.state, member.detail, member.is_gone) == (MemberState.DOWN, "refused", False)


def test_with_a_port_that_is_missing_nothing_is_sent_and_nothing_is_compiled_twice() -> None:
    world = World()
    world.start()
    channel = world.connect(switch=FakeSwitch(ports=10))
    world.settle(channel)
    assert state(world, "av2") is MemberState.DOWN
    new, again = restarted(world, channel)
    assert again.asked == ["read"]
    assert state(new, "av2") is MemberState.DOWN


def test_a_member_that_was_down_takes_sessions_again_after_its_good_reports() -> None:
    world, channel = begun()
    report(world, "proxy1", False, False)
    new, again = restarted(world, channel)
    report(new, "proxy1", True)
    assert state(new, "proxy1") is MemberState.DOWN
    report(new, "proxy1", True)
    new.settle(again)
    assert state(new, "proxy1") is MemberState.UP
    assert again.asked[1:] == ["0 flows put, 0 deleted; groups: 0 new, 1 changed, 0 deleted"]


def test_a_member_that_was_never_proved_healthy_is_not_trusted_after_a_restart() -> None:
    world, channel = begun()
    third = '      proxy3: {at: s1:12, mac: 02:cc:00:00:00:03, addresses: [192.0.2.13, "2001:db8:e::13"]}\n'
    text = DEMO.replace("      proxy2:", f"{third}      proxy2:")
    channel.switch.ports = 12
    world.apply(text)
    world.hear(1, channel, PortChanged(Port(12, "02:70:00:00:00:0c", "p12", False), was_deleted=False))
    assert state(world, "proxy3") is MemberState.JOINING
    new, again = restarted(world, channel, text)
    assert state(new, "proxy3") is MemberState.JOINING
    assert again.asked == ["read"]


def test_full_stale_and_held_members_are_what_they_were() -> None:
    world, channel = begun(LIMITED)
    world.handle(NoteCounts(Counts({"02:cc:00:00:00:01": 5})))
    world.handle(ReportMember("scanner1", HealthReport(True, stale="9 days old")))
    for _ in range(3):
        report(world, "scanner2", False, False, True, True)
    before = {name: state(world, name) for name in ("proxy1", "scanner1", "scanner2")}
    assert list(before.values()) == [MemberState.FULL, MemberState.STALE, MemberState.HELD]
    new, again = restarted(world, channel, LIMITED)
    assert {name: state(new, name) for name in before} == before
    assert again.asked == ["read"]


def test_all_members_down_and_a_responder_answering_is_a_restart_that_sends_nothing() -> None:
    world, channel = begun()
    for member in ("proxy1", "proxy2", "scanner1"):
        report(world, member, False, False)
    _, again = restarted(world, channel)
    assert again.asked == ["read"]


def unscanned(world: World) -> int:
    assert world.core.accepted is not None
    flows = world.core.accepted.states["s1"].flows.values()
    return sum(flow.because == "tenants.acme.mail.on_empty" for flow in flows)


@pytest.mark.parametrize("others", ["down", "drained", "unplugged"])
def test_a_bypass_is_never_opened_by_what_was_remembered(others: str) -> None:
    world = World()
    world.start("demo.yaml", BYPASS)
    channel = world.connect()
    world.settle(channel)
    report(world, "proxy1", False, False)
    if others == "down":
        report(world, "proxy2", False, False)
    elif others == "drained":
        world.handle(DrainMember("proxy2", True))
    else:
        world.hear(1, channel, PortChanged(Port(5, "02:70:00:00:00:05", "p5", False), was_deleted=True))
    assert unscanned(world) == 2
    new = World(world.store)
    new.start("demo.yaml", BYPASS)
    assert unscanned(new) == 0
    status = new.handle(ReadStatus())
    assert status is not None and "waits until a member is known to be healthy" in status.empty_pools[0]


def test_a_bypass_is_opened_again_by_the_first_bad_report_after_a_restart() -> None:
    world, channel = begun(BYPASS)
    for member in ("proxy1", "proxy2"):
        report(world, member, False, False)
    new, _ = restarted(world, channel, BYPASS)
    report(new, "proxy1", False)
    assert unscanned(new) == 0, "only one of them has reported"
    report(new, "proxy2", False)
    assert unscanned(new) == 2


def test_a_bypass_because_of_ports_is_open_only_after_the_switch_was_read() -> None:
    world = World()
    text = BYPASS.replace("health: agent", "health: none")
    world.start("demo.yaml", text)
    channel = world.connect()
    world.settle(channel)
    for number in (4, 5):
        gone = PortChanged(Port(number, "02:70:00:00:00:05", f"p{number}", False), was_deleted=True)
        world.hear(1, channel, gone)
    assert unscanned(world) == 2
    new = World(world.store)
    new.start("demo.yaml", text)
    assert unscanned(new) == 0
    again = new.connect(switch=FakeSwitch(ports=3))
    new.settle(again)
    assert unscanned(new) == 2


def test_ports_that_came_back_while_the_controller_was_away_are_used_by_its_first_plan() -> None:
    world = World()
    world.start()
    channel = world.connect(switch=FakeSwitch(ports=10))
    world.settle(channel)
    channel.switch.ports = 11
    new, again = restarted(world, channel)
    assert state(new, "av2") is MemberState.UP
    assert len(again.asked) == 2, "one plan"


def test_the_first_start_with_a_port_down_sends_one_plan() -> None:
    world = World()
    world.start()
    channel = world.connect(switch=FakeSwitch(ports=10))
    world.settle(channel)
    assert len(channel.asked) == 2
    assert world.core.switches.records[1].session.phase is Phase.IN_STEP


def counted(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a list that grows with each compilation."""
    compiled: list[Any] = []
    compile_ = world.core.in_force.compile

    def note(*given: Any) -> Any:
        compiled.append(given)
        return compile_(*given)

    monkeypatch.setattr(world.core.in_force, "compile", note)
    return compiled


def test_an_edit_while_a_member_is_drained_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world, channel = begun()
    world.handle(DrainMember("proxy1", True))
    world.settle(channel)
    compiled = counted(world, monkeypatch)
    world.apply(DEMO.replace("ports: [80]", "ports: [8080]"))
    world.settle(channel)
    assert len(compiled) == 1
    assert channel.asked[-1] == "2 flows put, 2 deleted; groups: 0 new, 0 changed, 0 deleted"


def test_four_switches_that_connect_together_cost_one_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them has ports that are missing: without that, nothing would be compiled again at all."""
    world = World()
    world.start("ring.yaml", RING)
    compiled = counted(world, monkeypatch)
    channels = {dpid: world.connect(dpid, FakeSwitch(ports=10)) for dpid in (1, 2, 3, 4)}
    for dpid, channel in channels.items():
        world.settle(channel, dpid)
    assert len(compiled) == 1
    for dpid, channel in channels.items():
        world.settle(channel, dpid)
        assert len(channel.asked) == 2, "one read and one plan each"


def test_a_switch_that_never_replies_keeps_the_others_waiting_for_two_seconds_at_most() -> None:
    world = World()
    world.start("ring.yaml", RING)
    world.connect(1, FakeSwitch(ports=10))
    second = world.connect(2, FakeSwitch(ports=10))
    world.settle(second, 2)
    assert second.asked == ["read"]
    world.tick(2.5)
    assert len(second.asked) == 2


def test_many_reports_in_the_queue_are_one_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    world, channel = begun()
    compiled = counted(world, monkeypatch)
    for member in ("proxy1", "scanner1", "scanner2"):
        for _ in range(2):
            world.core.members.on_report(world.now, member, HealthReport(False, "refused"))
    assert compiled == []
    assert not world.core.is_caught_up
    world.runtime.catch_up()
    assert len(compiled) == 1
    world.settle(channel)
    assert world.core.is_caught_up


def test_news_in_a_queue_that_never_empties_are_acted_on_soon() -> None:
    world, _ = begun()
    world.core.members.on_report(world.now, "proxy1", HealthReport(True))
    assert not world.runtime.is_overdue
    world.now += 0.3
    assert world.runtime.is_overdue


def test_a_trunk_that_was_wrong_is_avoided_until_it_is_judged_again() -> None:
    world = World()
    world.start("ring.yaml", RING)
    switches = {dpid: FakeSwitch(ports=12) for dpid in (1, 2, 3, 4)}
    for dpid, switch in switches.items():
        world.settle(world.connect(dpid, switch), dpid)
    wrong = {"switch": "s1", "port": 11}, {"switch": "s2", "port": 12}
    world.store.kept_network = {"format": 1, "members": [], "ports": [], "trunks": list(wrong)}
    new = World(world.store)
    new.start("ring.yaml", RING)
    for dpid, switch in switches.items():
        new.settle(new.connect(dpid, switch), dpid)
    assert {str(port) for port in new.core.in_force.conditions.broken} == {"s1:11", "s2:12"}
    for _ in range(10):
        new.tick(1.0)
    assert new.core.trunks.remembered, "nobody has heard a probe: nothing is known yet"


@pytest.mark.parametrize("kept", [{"format": 9}, {"members": 3}, {"format": 1, "members": [{"path": 1}]}])
def test_a_memory_that_cannot_be_read_is_reported_and_the_start_goes_on(kept: dict[str, Any]) -> None:
    store = MemoryStore()
    store.kept_network = kept
    world = World(store)
    world.start()
    assert len(world.events("NetworkNotRemembered")) == 1
    assert state(world, "proxy1") is MemberState.UP


def test_a_memory_that_cannot_be_written_blocks_nothing_and_is_reported_once() -> None:
    world, channel = begun()
    world.store.failure = "disk full"
    report(world, "proxy1", False, False)
    world.settle(channel)
    world.tick(1.0)
    assert world.core.roster.resting == {"pools.proxies.members.proxy1"}
    assert world.events("NetworkNotRemembered") == [{"reason": "disk full"}]


def test_what_is_remembered_is_small_and_only_about_what_is_wrong() -> None:
    world, channel = begun()
    report(world, "proxy1", False, False)
    world.settle(channel)
    kept = dict(world.store.kept_network or {})
    assert [each["path"] for each in kept["members"]] == ["pools.proxies.members.proxy1"]
    assert len(json.dumps(kept)) < 400
