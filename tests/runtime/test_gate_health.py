"""The gate while members, ports and trunks change: which changes wait, and what others do meanwhile."""

import pytest

from controller.ids import group_id
from controller.prover.answer import ProverEnded, not_finished
from controller.prover.question import Purpose, Question
from controller.reports import edge as edge_reports
from controller.runtime.commands.members import DrainMember
from controller.runtime.commands.switches import ReadStatus
from controller.runtime.events import ProverReported
from controller.sync.outcomes import Port, PortChanged
from controller.sync.state import WireState
from tests.fake_switch import FakeSwitch
from tests.runtime.test_gate import channel_of, failed
from tests.runtime.test_runtime import connected
from tests.world import DEMO, MemoryStore, World, proved

STICKY = DEMO.replace("    kind: mail-proxy\n", "    kind: mail-proxy\n    affinity: 1h\n")
SCANNERS = ("scanner1", "scanner2")


def an_edge(text: str = DEMO) -> World:
    """Return a world whose policy is in force, and in which each further proof waits for `let_prove`."""
    world = World()
    world.start(text=text)
    world.settle(connected(world))
    world.prover.is_prompt = False
    return world


@pytest.fixture
def world() -> World:
    return an_edge()


def drain(world: World, *names: str, is_drained: bool = True) -> None:
    for name in names:
        world.handle(DrainMember(name, is_drained))
    world.settle(channel_of(world))


def wanted(world: World) -> WireState:
    assert world.core.accepted
    return world.core.accepted.wires["s1"]


def desired(world: World) -> WireState:
    return world.core.switches.records[1].session.desired


def plans_due(world: World) -> list[Question]:
    return [each for each in world.prover.due if each.purpose is Purpose.PLAN]


def pool_group(world: World, state: WireState) -> bytes:
    """Return the buckets of the proxies."""
    return state.groups[group_id("proxies")].buckets


@pytest.mark.parametrize("text", [DEMO, STICKY], ids=["any member", "affinity"])
def test_a_member_that_fails_drains_or_returns_needs_no_proof(text: str) -> None:
    world = an_edge(text)
    for name in ("proxy1", "scanner2", "av1"):
        drain(world, name)
        assert desired(world) is wanted(world) and not plans_due(world)
    for name in ("av1", "proxy1", "scanner2"):
        drain(world, name, is_drained=False)
        assert desired(world) is wanted(world) and not plans_due(world)


@pytest.mark.parametrize("text", [DEMO, STICKY], ids=["any member", "affinity"])
def test_a_member_that_was_away_when_the_policy_was_proved_joins_without_a_proof(text: str) -> None:
    store = MemoryStore()
    store.paths.add("pools.proxies.members.proxy1")
    world = World(store)
    world.start(text=text)
    world.settle(connected(world))
    world.prover.is_prompt = False
    drain(world, "proxy1", is_drained=False)
    assert desired(world) is wanted(world) and not plans_due(world)
    assert not world.core.in_force.gate.is_holding


def port(number: int, *, is_down: bool) -> PortChanged:
    return PortChanged(Port(number, "02:70:00:00:00:01", f"p{number}", is_down), False)


def test_a_member_whose_port_fails_and_comes_back_needs_no_proof(world: World) -> None:
    for is_down in (True, False):
        world.hear(1, channel_of(world), port(4, is_down=is_down))
        world.tick(1.0)
        world.settle(channel_of(world))
        assert desired(world) is wanted(world) and not plans_due(world)


@pytest.mark.parametrize("text", [DEMO, STICKY], ids=["any member", "affinity"])
def test_a_dead_member_does_not_wait_for_the_proof_of_something_else(text: str) -> None:
    world = an_edge(text)
    drain(world, *SCANNERS)  # the pool is empty: a proof is under way
    assert plans_due(world)
    drain(world, "proxy1")
    assert pool_group(world, desired(world)) == pool_group(world, wanted(world))
    assert desired(world) != wanted(world)
    drain(world, "proxy1", is_drained=False)
    assert pool_group(world, desired(world)) == pool_group(world, wanted(world))
    world.let_prove(is_asked=True)
    world.settle(channel_of(world))
    assert desired(world) is wanted(world)


def test_what_a_switch_holds_while_a_state_waits_is_in_step(world: World) -> None:
    drain(world, *SCANNERS, "proxy1")
    session = world.core.switches.records[1].session
    assert session.installed is desired(world)
    assert world.core.in_force.gate.is_holding
    tables = channel_of(world).switch.tables
    assert {key.fields for key in session.installed.flows} == {fields for _, _, fields in tables.flows}


def test_a_dead_member_does_not_wait_if_the_proof_of_something_else_fails(world: World) -> None:
    world.prover.answer = failed
    drain(world, *SCANNERS)
    world.let_prove(is_asked=True)
    drain(world, "proxy1")
    assert pool_group(world, desired(world)) == pool_group(world, wanted(world))


def test_a_covered_plan_is_sent_while_the_prover_is_dead(world: World) -> None:
    world.prover.answer = lambda question: not_finished(question.number, "it has ended 3 times")
    world.runtime.on(ProverReported(ProverEnded("it has ended, by signal 9", 30.0)))
    drain(world, *SCANNERS)
    world.let_prove(is_asked=True)
    drain(world, "proxy1")
    assert pool_group(world, desired(world)) == pool_group(world, wanted(world))
    drain(world, *SCANNERS, is_drained=False)
    assert desired(world) is wanted(world)


def test_conditions_that_flap_faster_than_they_are_proved_are_proved_nevertheless(world: World) -> None:
    """The network is another one each time that it is looked at; the first proof is not given up for that."""
    drain(world, *SCANNERS)
    (first,) = plans_due(world)
    for name in SCANNERS * 3:
        drain(world, name, is_drained=False)
        drain(world, name)
        assert plans_due(world) == [first]
    world.let_prove(is_asked=True)
    assert desired(world) is wanted(world)


def test_a_proof_that_nobody_waits_for_any_more_still_counts(world: World) -> None:
    drain(world, *SCANNERS)
    drain(world, "scanner1", is_drained=False)
    assert not world.core.in_force.gate.is_holding
    world.let_prove(is_asked=True)
    drain(world, "scanner1")
    assert desired(world) is wanted(world) and not plans_due(world)


def test_what_changed_during_a_proof_is_proved_next(world: World) -> None:
    drain(world, *SCANNERS)
    drain(world, "proxy1", "proxy2")
    assert len(plans_due(world)) == 1
    (answer,) = [world.prover.answer(each) for each in plans_due(world)]
    world.prover.due.clear()
    world.on(ProverReported(answer))
    assert [each.switches["s1"].flows.keys() for each in plans_due(world)] == [wanted(world).flows.keys()]


def test_the_state_in_which_all_is_well_is_not_forgotten_among_others(world: World) -> None:
    world.prover.is_prompt = True
    proxies, decoys = ("proxy1", "proxy2"), ("decoy1",)
    for names in (SCANNERS, proxies, decoys, SCANNERS + decoys, proxies + decoys, SCANNERS + proxies):
        drain(world, *names)
        drain(world, *names, is_drained=False)
    plans = [each.switches["s1"] for each in world.prover.asked if each.purpose is Purpose.PLAN]
    assert len(plans) > len(proxies)
    assert not [each for each in plans if each.flows == wanted(world).flows], "it was proved at the start"


def test_what_others_have_changed_is_put_right_while_a_plan_is_refused(world: World) -> None:
    world.prover.answer = failed
    drain(world, *SCANNERS)
    world.let_prove(is_asked=True)
    record = world.core.switches.records[1]
    flow = next(iter(record.session.installed.flows.values()))
    record.session.strays.note_flow(flow.key, flow, None)
    world.tick(1.0)
    world.settle(channel_of(world))
    assert record.session.strays.count == 0 and record.session.repairs == 1


def test_a_switch_that_comes_back_empty_is_filled_during_a_long_proof(world: World) -> None:
    drain(world, *SCANNERS)
    world.disconnect(1, channel_of(world))
    switch = FakeSwitch()
    channel = world.connect(1, switch)
    world.settle(channel)
    world.tick(3.0)
    world.settle(channel)
    assert plans_due(world)
    assert len(switch.tables.flows) >= len(desired(world).flows)
    world.prover.answer = proved
    world.let_prove(is_asked=True)
    world.settle(channel)
    assert world.core.switches.records[1].session.installed is wanted(world)


def test_an_edge_whose_plan_waits_for_its_proof_is_not_confirmed(world: World) -> None:
    """The pool is empty in the policy's words, but the switches still lead mail to it."""
    drain(world, "proxy1", "proxy2")
    said = edge_reports.status(world.handle(ReadStatus()), {})
    assert said["state"] == "waiting"
    assert said["summary"] == "revision 1 confirmed on 1 of 1 switches; a plan waits for its proof"
    world.let_prove(is_asked=True)
    world.settle(channel_of(world))
    said = edge_reports.status(world.handle(ReadStatus()), {})
    assert (said["state"], said["summary"]) == ("confirmed", "revision 1 confirmed on 1 of 1 switches")
