"""The gate: what is proved is sent, and nothing else."""

from ipaddress import ip_network

import pytest

from controller.compiler.network_state import Conditions
from controller.openflow import messages
from controller.policy.model import Action, Policy
from controller.proof.model import Claim, FlowStep, Violation
from controller.prover.answer import Answer, ProofOutcome, not_finished
from controller.prover.question import Purpose, Question
from controller.reports import proofs as reports
from controller.runtime.commands.members import DrainMember
from controller.runtime.commands.policy import ApplyPolicy
from controller.runtime.commands.proofs import ReadProof
from controller.runtime.commands.suspicion import MakeDecisions
from controller.runtime.commands.switches import ReadSettled, Settling
from controller.runtime.gate import ProofPending, ProofRefused
from controller.runtime.in_force import Compiled, InForce
from controller.suspicion.decision import Request, Scope
from controller.sync.session import Phase
from controller.sync.state import WireFlow, WireKey
from tests.runtime.test_runtime import LESS_WEB, WITHOUT_GLOBEX, connected
from tests.world import DEMO, FakeChannel, MemoryStore, World, proved

STEP = FlowStep("s1", "forward", 100, 0x9057, "tenants.acme.mail", "eth_dst=acme-gw -> output 2")
VIOLATION = Violation(
    Claim.PORT_25,
    "pools.decoys.members.decoy1",
    "tenants.acme",
    "TCP 1.2.3.4:5 -> 203.0.113.10:25",
    "",
    (STEP,),
)


def failed(question: Question) -> Answer:
    return Answer(question.number, ProofOutcome.FAILED, 0.03, 366, 1, (VIOLATION,))


def endless(question: Question) -> Answer:
    return not_finished(question.number, "no answer within 60 s")


@pytest.fixture
def world() -> World:
    """The demo's policy is in force, and each further proof waits for `let_prove(is_asked=True)`."""
    world = World()
    world.start()
    connected(world)
    world.prover.is_prompt = False
    return world


def channel_of(world: World) -> FakeChannel:
    channel = world.core.switches.records[1].channel
    assert isinstance(channel, FakeChannel)
    return channel


def apply(world: World, text: str, file: str = "demo.yaml", *, is_unproved: bool = False) -> int:
    return world.handle(ApplyPolicy(file, text, is_unproved=is_unproved)).revision


def problems(world: World) -> list[str]:
    return reports.problems(world.handle(ReadProof()))


def test_a_policy_changes_nothing_before_it_is_proved(world: World) -> None:
    asked, published = list(channel_of(world).asked), len(world.published)
    with pytest.raises(ProofPending):
        apply(world, LESS_WEB)
    assert (channel_of(world).asked, len(world.published), world.core.revision) == (asked, published, 1)
    assert len(world.store.policies) == 1
    world.let_prove(is_asked=True)
    assert apply(world, LESS_WEB) == 2
    world.settle(channel_of(world))
    assert world.core.switches.records[1].session.confirmed_revision == 2


def test_what_is_proved_is_what_the_switches_get(world: World) -> None:
    with pytest.raises(ProofPending):
        apply(world, LESS_WEB)
    (question,) = [each for each in world.prover.due if each.purpose is Purpose.POLICY]
    world.let_prove(is_asked=True)
    apply(world, LESS_WEB)
    world.settle(channel_of(world))
    assert world.core.switches.records[1].session.held == question.switches["s1"]


def test_asking_again_while_it_is_proved_neither_compiles_nor_asks_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProofPending):
        apply(world, LESS_WEB)
    asked = list(world.prover.asked)
    monkeypatch.setattr("controller.runtime.submission.parse_policy", None)
    for _ in range(3):
        with pytest.raises(ProofPending):
            apply(world, LESS_WEB)
    assert world.prover.asked == asked


def test_a_policy_whose_proof_fails_is_refused_with_the_packet_and_the_line_of_the_policy(
    world: World,
) -> None:
    world.prover.answer = failed
    with pytest.raises(ProofPending):
        apply(world, LESS_WEB)
    world.let_prove(is_asked=True)
    with pytest.raises(ProofRefused) as refused:
        apply(world, LESS_WEB)
    for part in (VIOLATION.packet, VIOLATION.sender, STEP.text, "tenants.acme.mail", "demo.yaml:"):
        assert part in str(refused.value), part
    assert world.core.revision == 1
    assert VIOLATION.packet in world.events("PolicyRefused")[-1]["reason"]
    (event,) = world.events("ProofFailed")
    assert (event["packet"], event["rules"]) == (VIOLATION.packet, ["tenants.acme.mail"])
    assert world.events("ChangeRefused")[-1]["command"] == "ApplyPolicy"


def test_a_policy_whose_proof_does_not_finish_waits_and_is_asked_about_again(world: World) -> None:
    world.prover.answer = endless
    with pytest.raises(ProofPending):
        apply(world, LESS_WEB)
    world.let_prove(is_asked=True)
    with pytest.raises(ProofPending, match="no answer within 60 s"):
        apply(world, LESS_WEB)
    assert world.events("ProofNotFinished")[-1]["subject"] == "a plan for revision 2"
    world.prover.answer = proved
    world.tick(10.0)
    world.let_prove(is_asked=True)
    assert apply(world, LESS_WEB) == 2


def test_a_policy_can_be_forced_and_the_journal_and_status_say_by_whom_and_why(world: World) -> None:
    world.prover.answer = failed
    with pytest.raises(ProofPending):
        apply(world, LESS_WEB)
    assert apply(world, LESS_WEB, is_unproved=True) == 2
    assert world.events("PlanForced") == [
        {"revision": 2, "file": "demo.yaml", "by": "controller", "reason": "a test"}
    ]
    assert world.events("ChangeMade")[-1]["subject"] == "demo.yaml, without a proof"
    world.settle(channel_of(world))
    assert world.core.switches.records[1].session.confirmed_revision == 2
    assert any("revision 2 is in force without a proof: a test" in each for each in problems(world))


def test_what_follows_from_a_forced_policy_needs_no_proof_until_another_one_is_proved(world: World) -> None:
    apply(world, LESS_WEB, is_unproved=True)
    world.settle(channel_of(world))
    for name in ("scanner1", "scanner2"):
        world.handle(DrainMember(name, True))
    world.settle(channel_of(world))
    assert world.core.switches.records[1].session.installed is world.core.accepted.wires["s1"]  # type: ignore[union-attr]
    with pytest.raises(ProofPending):
        apply(world, DEMO)
    world.let_prove(is_asked=True)
    apply(world, DEMO)
    assert world.core.in_force.gate.forced is None


def test_a_member_that_leaves_is_avoided_at_once_without_a_proof(world: World) -> None:
    plans = len(world.events("PlanSent"))
    world.handle(DrainMember("proxy1", True))
    assert len(world.events("PlanSent")) == plans + 1
    assert not [each for each in world.prover.asked[1:] if each.purpose is Purpose.PLAN]


def test_a_member_that_comes_back_needs_no_proof_either_for_the_first_one_covers_it(world: World) -> None:
    world.handle(DrainMember("proxy1", True))
    world.settle(channel_of(world))
    plans = len(world.events("PlanSent"))
    world.handle(DrainMember("proxy1", False))
    assert len(world.events("PlanSent")) == plans + 1


def test_a_pool_that_becomes_empty_is_proved_before_its_flows_change(world: World) -> None:
    world.handle(DrainMember("proxy1", True))
    world.settle(channel_of(world))
    plans = len(world.events("PlanSent"))
    world.handle(DrainMember("proxy2", True))
    assert len(world.events("PlanSent")) == plans
    assert world.prover.due[-1].purpose is Purpose.PLAN
    world.let_prove(is_asked=True)
    assert len(world.events("PlanSent")) == plans + 1


def test_a_drain_whose_plan_is_held_back_is_not_confirmed_but_a_decision_is(world: World) -> None:
    for name in ("proxy1", "proxy2"):
        world.handle(DrainMember(name, True))
        world.settle(channel_of(world))
    assert world.handle(ReadSettled()) is Settling.WAITING
    assert world.handle(ReadSettled(with_plans=False)) is Settling.CONFIRMED
    world.let_prove(is_asked=True)
    world.settle(channel_of(world))
    assert world.handle(ReadSettled()) is Settling.CONFIRMED


def test_a_plan_for_the_network_that_is_held_back_is_in_the_status(world: World) -> None:
    world.prover.answer = failed
    for name in ("proxy1", "proxy2"):
        world.handle(DrainMember(name, True))
    world.let_prove(is_asked=True)
    said = problems(world)
    assert any("held back" in each and VIOLATION.packet in each for each in said), said


def decide(world: World) -> None:
    world.handle(MakeDecisions((Request(Scope(ip_network("198.51.100.66")), Action.DROP, "api"),)))


def test_decisions_need_no_proof(world: World) -> None:
    with pytest.raises(ProofPending):
        apply(world, LESS_WEB)
    plans = len(world.events("PlanSent"))
    decide(world)
    assert len(world.events("PlanSent")) == plans + 1


def test_two_clients_are_proved_one_after_the_other(world: World) -> None:
    with pytest.raises(ProofPending):
        apply(world, LESS_WEB)
    with pytest.raises(ProofPending, match="another policy"):
        apply(world, WITHOUT_GLOBEX, "other.yaml")
    world.let_prove(is_asked=True)
    assert apply(world, LESS_WEB) == 2
    with pytest.raises(ProofPending):
        apply(world, WITHOUT_GLOBEX, "other.yaml")
    world.let_prove(is_asked=True)
    assert apply(world, WITHOUT_GLOBEX, "other.yaml") == 3


def test_a_client_that_no_longer_asks_does_not_keep_others_waiting(world: World) -> None:
    with pytest.raises(ProofPending):
        apply(world, LESS_WEB)
    world.now += 3.0
    with pytest.raises(ProofPending, match="the policy is being proved"):
        apply(world, WITHOUT_GLOBEX, "other.yaml")
    world.let_prove(is_asked=True)
    assert apply(world, WITHOUT_GLOBEX, "other.yaml") == 2


def test_two_clients_whose_policies_take_long_to_compile_do_not_replace_each_other_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_policy = InForce.compile

    def compile_slowly(self: InForce, policy: Policy, conditions: Conditions) -> Compiled:
        world.now += 5.0
        return compile_policy(self, policy, conditions)

    monkeypatch.setattr(InForce, "compile", compile_slowly)
    with pytest.raises(ProofPending):
        apply(world, LESS_WEB)
    with pytest.raises(ProofPending, match="another policy"):
        apply(world, WITHOUT_GLOBEX, "other.yaml")
    world.let_prove(is_asked=True)
    assert apply(world, LESS_WEB) == 2


def test_a_network_that_changes_during_the_proof_is_proved_again(world: World) -> None:
    with pytest.raises(ProofPending):
        apply(world, LESS_WEB)
    for name in ("proxy1", "proxy2"):
        world.handle(DrainMember(name, True))
    world.let_prove(is_asked=True)
    with pytest.raises(ProofPending):
        apply(world, LESS_WEB)
    world.let_prove(is_asked=True)
    assert apply(world, LESS_WEB) == 2


def start_unanswered(store: MemoryStore, text: str = DEMO) -> World:
    world = World(store)
    world.prover.is_prompt = False
    world.start(text=text)
    return world


def test_at_the_start_a_switch_keeps_what_it_holds_until_the_policy_is_proved(world: World) -> None:
    switch = channel_of(world).switch
    held = dict(switch.tables.flows)
    again = start_unanswered(world.store)
    channel = again.connect(switch=switch)
    again.settle(channel)
    assert switch.tables.flows == held
    assert not again.events("PlanSent")
    again.let_prove(is_asked=True)
    again.settle(channel)
    assert not again.events("PlanSent")
    assert again.core.switches.records[1].session.phase is Phase.IN_STEP


def test_at_the_start_a_policy_whose_proof_fails_is_refused_and_the_last_good_one_stays(
    world: World,
) -> None:
    again = start_unanswered(world.store, LESS_WEB)
    again.prover.answer = lambda asked: (failed if asked.purpose is Purpose.POLICY else proved)(asked)
    assert again.core.revision == 1
    again.let_prove(is_asked=True)
    assert again.core.revision == 1
    assert VIOLATION.packet in again.events("PolicyRefused")[-1]["reason"]
    assert again.events("LastGoodPolicyKept")[-1]["revision"] == 1


def test_at_the_very_first_start_nothing_is_in_force_before_it_is_proved() -> None:
    world = start_unanswered(MemoryStore())
    assert world.core.accepted is None
    world.let_prove(is_asked=True)
    assert world.core.revision == 1


def test_the_file_of_the_start_does_not_displace_a_policy_of_a_client(world: World) -> None:
    again = start_unanswered(world.store, LESS_WEB)
    again.prover.answer = endless
    again.let_prove(is_asked=True)
    with pytest.raises(ProofPending):
        apply(again, WITHOUT_GLOBEX, "other.yaml")
    again.let_prove(is_asked=True)
    with pytest.raises(ProofPending, match="no answer within 60 s"):
        apply(again, WITHOUT_GLOBEX, "other.yaml")


def held_open(question: Question) -> Answer:
    """Find a hole in each state with a foreign flow."""
    has_hole = any(flow.cookie == 0 for state in question.switches.values() for flow in state.flows.values())
    return (failed if has_hole else proved)(question)


def opened_by_hand() -> World:
    """The policy only reports drift, and a foreign flow opens the switch."""
    world = World()
    world.prover.answer = held_open
    world.start(text=f"drift: report\n{DEMO}")
    channel = connected(world)
    foreign = WireFlow(WireKey(0, 60_000, b""), 0, b"", b"")
    world.report(channel, channel.switch.change(messages.add_flow(0, foreign)))
    return world


def test_a_foreign_hole_that_stays_does_not_hold_back_what_the_network_needs_and_status_says_so() -> None:
    world = opened_by_hand()
    channel = channel_of(world)
    for name in ("proxy1", "proxy2"):
        world.handle(DrainMember(name, True))
        world.settle(channel)
    assert world.core.accepted is not None
    assert world.core.switches.records[1].session.installed is world.core.accepted.wires["s1"]
    assert (0, 60_000, b"") in channel.switch.tables.flows
    world.tick(2.0)
    assert any(VIOLATION.packet in each for each in problems(world))
    assert not any("held back" in each for each in problems(world))


def test_a_policy_is_applied_together_with_the_removal_of_a_foreign_hole() -> None:
    world = opened_by_hand()
    channel = channel_of(world)
    before = len(channel.plans)
    apply(world, f"drift: report\n{LESS_WEB}")
    world.settle(channel)
    (plan,) = channel.plans[before:]
    assert [flow for flow in plan.deleted_flows if flow.cookie == 0]
    assert (0, 60_000, b"") not in channel.switch.tables.flows
    world.tick(2.0)
    assert problems(world) == []
