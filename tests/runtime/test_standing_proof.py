"""The standing proof: what the switches hold is proved after each change; what is not known is named."""

from controller.prover.answer import Answer, ProofOutcome, ProverEnded, ProverStarted, not_finished
from controller.prover.question import Purpose, Question
from controller.reports.proofs import problems, summary
from controller.runtime.commands.drift import ReadDrift
from controller.runtime.commands.members import DrainMember
from controller.runtime.commands.proofs import DemandProof, ReadProof
from controller.runtime.events import OutcomeReceived, ProverReported
from controller.sync.outcomes import FlowsChanged
from tests.runtime.test_gate import VIOLATION, decide
from tests.runtime.test_runtime import connected
from tests.world import DEMO, POLICIES, World, proved

RING = (POLICIES / "ring.yaml").read_text(encoding="utf-8")


def standing(world: World) -> list[Question]:
    return [each for each in world.prover.asked if each.purpose is Purpose.STANDING]


def proved_keys(world: World) -> set[tuple[int, int, bytes]]:
    """Identities of the flows of s1 that were proved last, as a switch has them."""
    return {(key.table, key.priority, key.fields) for key in standing(world)[-1].switches["s1"].flows}


def failed(question: Question) -> Answer:
    return Answer(question.number, ProofOutcome.FAILED, 0.03, 366, 1, (VIOLATION,))


def test_what_a_switch_has_confirmed_is_proved(world: World) -> None:
    channel = connected(world)
    last = world.core.proofs.last
    assert last is not None
    assert (last.switches, last.missing, last.revision) == (("s1",), (), 1)
    assert proved_keys(world) == set(channel.switch.tables.flows)
    (made,) = world.events("ProofMade")
    assert made["switches"] == ["s1"]


def test_a_controller_without_a_switch_has_proved_nothing_and_is_not_red_for_that(world: World) -> None:
    status = world.handle(ReadProof())
    assert (summary(status), problems(status)) == ("nothing is proved yet", [])
    assert status.missing == ("s1: not connected",)


def test_switches_that_are_not_connected_are_named() -> None:
    world = World()
    world.start("ring.yaml", RING)
    world.settle(world.connect(1), 1)
    last = world.core.proofs.last
    assert last is not None
    assert last.switches == ("s1",)
    assert last.missing == tuple(f"{name}: not connected" for name in ("s2", "s3", "s4"))


def test_a_change_that_a_switch_confirms_is_proved_again(world: World) -> None:
    channel = connected(world)
    world.now += 1.0
    before = len(standing(world))
    world.handle(DrainMember("proxy1", True))
    world.settle(channel)
    assert len(standing(world)) == before + 1


def test_changes_during_a_proof_lead_to_one_more(world: World) -> None:
    channel = connected(world)
    world.now += 1.0
    world.prover.is_prompt = False
    before = len(standing(world))
    for name in ("scanner1", "proxy1", "av1"):
        world.handle(DrainMember(name, True))
        world.settle(channel)
    assert len(standing(world)) == before + 1
    world.let_prove(is_asked=True)
    world.prover.is_prompt = True
    world.tick(1.0)
    assert len(standing(world)) == before + 2
    assert standing(world)[-1].switches["s1"] == world.core.switches.records[1].session.held
    world.tick(5.0)
    assert len(standing(world)) == before + 2


def test_what_others_have_changed_on_a_switch_is_proved_as_it_is() -> None:
    world = World()
    world.start(text=DEMO.replace("postern: 1", "drift: report\npostern: 1"))
    connected(world)
    world.now += 1.0
    world.prover.answer = failed
    flow = next(iter(standing(world)[-1].switches["s1"].flows.values()))
    record = world.core.switches.records[1]
    record.session.strays.note_flow(flow.key, flow, None)
    world.tick(0.0)
    assert flow.key not in standing(world)[-1].switches["s1"].flows
    assert world.events("ProofFailed")[-1]["packet"] == VIOLATION.packet
    assert VIOLATION.packet in problems(world.handle(ReadProof()))[0]


def test_a_switch_with_too_many_foreign_flows_is_as_unknown_to_drift_as_to_proofs(world: World) -> None:
    connected(world)
    world.core.switches.records[1].session.strays.is_cut = True
    drift = world.handle(ReadDrift())
    assert drift is not None
    assert drift.switches[0].unknown.startswith(
        "more foreign flows than are kept: what it holds is not known;"
    )
    assert world.handle(ReadProof()).missing == ("s1: more foreign flows than are kept",)


def test_a_silent_switch_is_proved_as_it_was_known_last(world: World) -> None:
    connected(world)
    for _ in range(6):
        world.tick(0.5)  # without a reply
    world.handle(DemandProof())
    last = world.core.proofs.last
    assert last is not None
    assert (last.switches, last.missing) == (("s1",), ())
    assert world.handle(ReadProof()).missing == ("s1: no answer for 2 s",)
    made = world.events("ProofMade")[-1]
    assert (made["switches"], made["missing"]) == ([], ["s1: no answer for 2 s"])


def test_a_switch_that_keeps_reports_back_is_not_known_now(world: World) -> None:
    channel = connected(world)
    world.runtime.on(OutcomeReceived(1, channel, FlowsChanged((), was_paused=True)))
    (missing,) = world.handle(ReadProof()).missing
    assert missing == "s1: it keeps reports of changes back, since it has too many"


def test_a_proof_that_fails_again_and_again_has_a_line_a_minute(world: World) -> None:
    world.prover.answer = failed
    connected(world)
    for _ in range(10):
        world.handle(DemandProof())
        world.tick(1.0)
    assert len(world.events("ProofFailed")) == 1
    world.now += 60.0
    world.handle(DemandProof())
    assert len(world.events("ProofFailed")) == 2


def test_a_demanded_proof_begins_after_the_demand(world: World) -> None:
    connected(world)
    number = world.handle(DemandProof())
    last = world.core.proofs.last
    assert last is not None and last.answer.number >= number


def test_a_proof_that_does_not_finish_is_red_and_tried_again(world: World) -> None:
    connected(world)
    world.prover.answer = lambda question: not_finished(question.number, "no answer within 60 s")
    world.handle(DemandProof())
    assert problems(world.handle(ReadProof())) == ["the proof is not finished: no answer within 60 s"]
    assert world.events("ProofNotFinished")[-1]["subject"] == "what the switches hold"
    world.prover.answer = proved
    world.tick(61.0)
    assert problems(world.handle(ReadProof())) == []


def test_a_state_that_is_not_proved_for_long_is_red_and_so_is_a_prover_that_does_not_run(
    world: World,
) -> None:
    connected(world)
    world.runtime.on(ProverReported(ProverStarted(4711)))
    world.runtime.on(ProverReported(ProverEnded("it has ended, by signal 9", 0.2)))
    world.prover.is_prompt = False
    world.handle(DemandProof())
    world.tick(30.0)
    said = problems(world.handle(ReadProof()))
    assert said[0] == "what the switches hold has not been proved for 30 s"
    assert "ProverEnded" in said[1]
    assert world.events("ProverEnded") == [{"reason": "it has ended, by signal 9", "pause_s": 0.2}]
    assert world.events("ProverStarted") == [{"pid": 4711}]


def test_a_late_answer_to_an_older_question_proves_nothing(world: World) -> None:
    connected(world)
    last = world.core.proofs.last
    world.runtime.on(ProverReported(Answer(999, ProofOutcome.FAILED, 0.1, 1, 1, (VIOLATION,))))
    assert world.core.proofs.last is last


def test_the_decisions_that_a_switch_holds_are_part_of_what_is_proved(world: World) -> None:
    channel = connected(world)
    world.now += 1.0
    decide(world)
    world.settle(channel)
    world.tick(1.0)
    assert proved_keys(world) == set(channel.switch.tables.flows)
