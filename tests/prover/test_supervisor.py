"""The proving process: what it answers, and what happens when it dies, hangs or talks nonsense."""

import os
import signal
import subprocess
import sys

import pytest

from controller.prover.answer import MOST_VIOLATIONS, Answer, ProofOutcome, ProverEnded, ProverStarted
from controller.prover.process import ProofLimits
from controller.prover.question import Purpose
from tests.prover import double
from tests.prover.conftest import MEMORY_BYTES, WIRES, Supervise, question
from tests.prover.processes import await_end, is_running


def test_a_state_that_is_proved_is_answered_with_the_number_of_its_flows(supervise: Supervise) -> None:
    prover = supervise()
    prover.ask(question(4))
    answer = prover.next(Answer)
    assert (answer.number, answer.is_proved, answer.flows) == (4, True, len(WIRES["s1"].flows))


def test_a_violation_arrives_as_it_was_found_and_their_number_is_bounded(supervise: Supervise) -> None:
    prover = supervise()
    prover.ask(question(1, double.FAILS))
    answer = prover.next(Answer)
    assert answer.outcome is ProofOutcome.FAILED
    assert answer.violations == (double.VIOLATION,) * MOST_VIOLATIONS
    assert answer.found == 200


def test_a_mistake_in_the_proof_is_reported_and_the_next_question_is_answered(supervise: Supervise) -> None:
    prover = supervise()
    prover.ask(question(1, double.RAISES))
    answer = prover.next(Answer)
    assert answer.outcome is ProofOutcome.NOT_FINISHED
    assert answer.reason == "the proof failed: KeyError: 'table'"
    prover.ask(question(2))
    assert prover.next(Answer).is_proved


def test_a_process_that_is_killed_during_a_proof_is_started_again_and_asked_again(
    supervise: Supervise,
) -> None:
    prover = supervise()
    first = prover.next(ProverStarted).pid
    prover.ask(question(1, double.SLOW))
    prover.await_asked(1)
    os.kill(first, signal.SIGKILL)
    assert "by signal 9" in prover.next(ProverEnded).reason
    second = prover.next(ProverStarted).pid
    assert second != first
    prover.ask(question(2))  # instead of the slow one, which had been asked again
    assert (prover.next(Answer).number, is_running(first)) == (2, False)


def test_a_question_that_kills_the_process_each_time_is_given_up_after_three_times(
    supervise: Supervise,
) -> None:
    prover = supervise()
    prover.ask(question(1, double.DIES))
    assert [prover.next(ProverEnded).pause_s for _ in range(2)] == [0.2, 0.4]
    answer = prover.next(Answer)
    assert answer.outcome is ProofOutcome.NOT_FINISHED
    assert "ended 3 times" in answer.reason
    prover.ask(question(2))
    assert prover.next(Answer).is_proved


@pytest.mark.parametrize("fault", [double.SLOW, double.STOPS])
def test_a_proof_that_takes_too_long_is_not_finished_and_its_process_is_replaced(
    supervise: Supervise, fault: str
) -> None:
    prover = supervise(ProofLimits(0.3, MEMORY_BYTES))
    first = prover.next(ProverStarted).pid
    prover.ask(question(1, fault))
    answer = prover.next(Answer)
    assert (answer.outcome, answer.reason) == (ProofOutcome.NOT_FINISHED, "no answer within 0.3 s")
    assert "no answer" in prover.next(ProverEnded).reason
    await_end(first)
    prover.ask(question(2))
    assert prover.next(Answer).is_proved


def test_a_proof_that_needs_too_much_memory_is_not_finished(supervise: Supervise) -> None:
    prover = supervise()
    prover.ask(question(1, double.HUNGRY))
    assert "memory" in prover.next(Answer).reason


@pytest.mark.parametrize("older", [double.SLOW, double.BEGINS_LATE])
def test_a_newer_plan_takes_the_place_of_the_one_that_is_being_proved(
    supervise: Supervise, older: str
) -> None:
    prover = supervise()
    pid = prover.next(ProverStarted).pid
    prover.ask(question(1, older))
    prover.await_asked(1)
    prover.ask(question(2))
    assert (prover.next(Answer).number, is_running(pid)) == (2, True)


def test_a_standing_proof_gives_way_to_a_plan_and_is_made_afterwards(supervise: Supervise) -> None:
    prover = supervise(ProofLimits(1.0, MEMORY_BYTES))
    prover.next(ProverStarted)
    prover.ask(question(1, double.SLOW, Purpose.STANDING))
    prover.await_asked(1)
    prover.ask(question(2))
    answers = [prover.next(Answer) for _ in range(2)]
    assert [(each.number, each.outcome) for each in answers] == [
        (2, ProofOutcome.PROVED),
        (1, ProofOutcome.NOT_FINISHED),
    ]


SPEAKERS = {
    "garbage": "import os; os.write(0, b'GET / HTTP/1.0' * 9)",
    "too much": "import os; os.write(0, b'PSTN\\x02\\x10\\xff\\xff\\xff\\xff' + bytes(99))",
    "another version": (
        'import os, struct; body = b\'{"version": "0.0.1"}\';'
        "os.write(0, b'PSTN\\x02\\x10' + struct.pack('>I', len(body)) + body); os.read(0, 1)"
    ),
    "nothing": "raise SystemExit(3)",
    "deep": (
        "import os, struct; body = b'[' * 100_000;"
        "os.write(0, b'PSTN\\x02\\x10' + struct.pack('>I', len(body)) + body); os.read(0, 1)"
    ),
}
EXPECTED = {
    "garbage": "a frame begins with b'GET '",
    "too much": "a frame of 4294967295 bytes",
    "another version": "restart the controller",
    "nothing": "with exit code 3",
    "deep": "its greeting is not valid",
}


@pytest.mark.parametrize("what", SPEAKERS)
def test_a_process_that_says_something_else_is_ended_and_the_journal_can_say_why(
    supervise: Supervise, what: str
) -> None:
    prover = supervise(words=[sys.executable, "-c", SPEAKERS[what]])
    assert EXPECTED[what] in prover.next(ProverEnded).reason


def test_the_process_has_an_equal_share_of_the_machine_and_gives_way_to_the_controller(
    supervise: Supervise,
) -> None:
    pid = supervise().next(ProverStarted).pid
    assert os.getpriority(os.PRIO_PROCESS, pid) == os.getpriority(os.PRIO_PROCESS, 0)
    assert os.sched_getscheduler(pid) == os.SCHED_BATCH


def test_with_its_supervisor_the_process_ends(supervise: Supervise) -> None:
    prover = supervise()
    pid = prover.next(ProverStarted).pid
    prover.stop()
    assert not is_running(pid)


def test_the_process_ends_with_a_controller_that_is_killed_while_it_proves() -> None:
    """The controller here is a child of the test, so that it can be killed."""
    command = [sys.executable, "-m", "tests.prover.asking"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as child:
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        assert is_running(pid)
        child.kill()
    await_end(pid)
