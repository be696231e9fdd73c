"""`postern prove`, and what `apply` says about proofs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from common.exit_codes import ExitCode
from controller.compiler.compile import compile_policy
from controller.policy.parse import parse_policy
from controller.proof.model import Claim
from controller.prover.answer import Answer, not_finished
from controller.prover.question import Question
from controller.reports.proofs import CLAIMS
from tests.api.conftest import Northbound
from tests.cli.conftest import Postern
from tests.runtime.test_gate import STEP, VIOLATION, failed
from tests.world import DEMO, POLICIES


def endless(question: Question) -> Answer:
    return not_finished(question.number, "no answer within 60 s")


@pytest.fixture
def edit(tmp_path: Path) -> Path:
    file = tmp_path / "new.yaml"
    file.write_text(DEMO.replace("ports: [80]", "ports: [8080]"), encoding="utf-8")
    return file


def test_what_is_proved_is_printed_claim_by_claim(postern: Postern, controller: Northbound) -> None:
    answer = postern("prove")
    assert (answer.code, answer.err) == (0, "")
    (state,) = compile_policy(parse_policy(DEMO, "demo.yaml")).values()
    flows = f"{len(state.flows)} flows on 1 switch"
    assert answer.out.startswith(f"revision 1 proved for all packets 0 s ago: {flows}")
    for claim, text in CLAIMS.items():
        assert f"  proved      {claim.value:<16} {text}\n" in answer.out


def test_a_packet_that_gets_through_is_printed_with_flows_and_lines_of_the_policy(
    postern: Postern, controller: Northbound
) -> None:
    controller.world.prover.answer = failed
    answer = postern("prove")
    assert answer.code == ExitCode.FAILED
    assert f"NOT PROVED  {VIOLATION.claim.value}" in answer.out
    assert f"packet   {VIOLATION.packet}\n" in answer.out
    assert f"   s1 forward, priority 100: {STEP.text}\n      tenants.acme.mail  demo.yaml:" in answer.out


def test_the_document_of_a_failed_proof_has_all_of_that(postern: Postern, controller: Northbound) -> None:
    controller.world.prover.answer = failed
    (violation,) = json.loads(postern("prove", "--json").out)["last"]["violations"]
    assert violation["packet"] == VIOLATION.packet
    assert violation["flows"][0]["place"].startswith("demo.yaml:")


def test_a_proof_that_does_not_finish_is_not_waited_for_longer_than_asked(
    postern: Postern, controller: Northbound
) -> None:
    controller.world.prover.answer = endless
    answer = postern("prove", "--timeout", "0s")
    assert answer.code == ExitCode.FAILED
    assert "not proved in time: the proof is not finished: no answer within 60 s" in answer.err


def test_a_policy_that_is_refused_by_its_proof_is_told_with_the_packet(
    postern: Postern, controller: Northbound, edit: Path
) -> None:
    controller.world.prover.answer = failed
    answer = postern("apply", edit)
    assert answer.code == ExitCode.FAILED
    assert "not applied: the proof failed: port-25" in answer.err
    assert VIOLATION.packet in answer.err
    assert controller.world.core.revision == 1


def test_a_policy_that_waits_for_its_proof_can_be_forced_with_a_reason(
    postern: Postern, controller: Northbound, edit: Path
) -> None:
    controller.world.prover.answer = endless
    answer = postern("apply", edit, "--timeout", "0s")
    assert answer.code == ExitCode.FAILED
    assert "nothing has changed: the proof is not finished: no answer within 60 s" in answer.err
    assert postern("apply", edit, "--unproved").code == ExitCode.USAGE
    assert controller.world.core.revision == 1
    assert "revision 2" in postern("apply", edit, "--unproved", "--reason", "ticket 4711").out
    assert controller.world.events("PlanForced")[-1]["reason"] == "ticket 4711"
    status = postern("status")
    assert status.code == ExitCode.FAILED
    assert "! revision 2 is in force without a proof: ticket 4711" in status.out


def test_a_policy_is_proved_without_a_controller(postern: Postern) -> None:
    answer = postern("prove", POLICIES / "minimal.yaml", "--json")
    (row,) = json.loads(answer.out)
    assert (answer.code, row["proved"], row["violations"]) == (0, True, [])
    assert row["flows"] > 100


def test_a_policy_with_errors_is_not_proved(postern: Postern, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(DEMO.replace("mode: proxy", "mode: magic"), encoding="utf-8")
    answer = postern("prove", file)
    assert answer.code == ExitCode.FAILED
    assert f"{file}:" in answer.err and "tenants.acme.mail.mode" in answer.err


def stopped(question: Question) -> Answer:
    claims = frozenset({VIOLATION.claim, Claim.LOOP})
    return replace(failed(question), claims=claims, is_complete=False)


def test_what_is_not_decided_is_not_called_proved(postern: Postern, controller: Northbound) -> None:
    controller.world.prover.answer = stopped
    answer = postern("prove")
    assert answer.code == ExitCode.FAILED
    assert f"NOT PROVED  {VIOLATION.claim.value}" in answer.out
    assert f"NOT PROVED  {Claim.LOOP.value}" in answer.out
    assert f"UNDECIDED   {Claim.TRANSIT.value}" in answer.out
    assert "  not decided: the proof stopped early\n" in answer.out
    assert "\n  proved " not in answer.out
    assert "! other claims are not decided: the proof stopped early" in postern("status").out


def test_nothing_is_called_proved_while_a_switch_is_away(postern: Postern, controller: Northbound) -> None:
    controller.world.apply((POLICIES / "ring.yaml").read_text(encoding="utf-8"))
    controller.settle()
    answer = postern("prove")
    assert answer.code == ExitCode.FAILED
    assert "revision 2 NOT decided for all 4 switches" in answer.out
    assert "on 1 of 4 switches" in answer.out
    assert "\n  proved " not in answer.out
    assert "proved for all" not in postern("status").out
