"""What crosses from the proving process, and which claims it decides."""

import json
from dataclasses import dataclass

import pytest

from controller.pipeline.tables import Table
from controller.proof.budget import Budget
from controller.proof.model import Claim, NetworkState, Violation
from controller.proof.prove import prove
from controller.prover.answer import (
    MOST_VIOLATIONS,
    Answer,
    AnswerError,
    ProofOutcome,
    answer_of,
    decode_answer,
    encode_answer,
)
from controller.reports.proofs import CLAIMS, findings
from tests.proof.networks import network_of
from tests.proof.test_faults import applied, output, raw

NORMAL, UNKNOWN = output(0xFFFF_FFFA), applied(bytes.fromhex("ffff001000002320007f000000000000"))


def crossed(network: NetworkState) -> Answer:
    proof = prove(network)
    return decode_answer(encode_answer(answer_of(7, proof.seconds, proof)))


def states(answer: Answer, missing: tuple[str, ...] = ()) -> dict[str, str]:
    return {row["claim"]: row["state"] for row in findings(answer, {}, missing)["claims"]}


def test_a_proof_without_a_violation_decides_every_claim() -> None:
    answer = crossed(network_of("demo"))
    assert set(states(answer).values()) == {"proved"}
    assert findings(answer, {})["undecided_because"] == ""


def test_nothing_is_proved_by_a_proof_that_stopped_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "is_exhausted", property(lambda budget: budget.steps > 1_000))
    answer = crossed(network_of("demo"))
    assert not answer.is_complete
    assert "proved" not in states(answer).values()
    found = findings(answer, {})
    assert (found["complete"], found["undecided_because"]) == (False, "the proof stopped early")
    assert not any(row["proved"] for row in found["claims"])


def test_claims_that_only_violations_beyond_the_first_ones_break_are_broken() -> None:
    network = raw(Table.ADMISSION, NORMAL)(network_of("demo"))
    proof = prove(network)
    (last,) = [each for each in proof.violations if each.claim is Claim.PORT_25][:1]
    others = [each for each in proof.violations if each.claim is not Claim.PORT_25]
    many = (*others[:1] * MOST_VIOLATIONS, last)
    answer = decode_answer(encode_answer(answer_of(7, 0.1, _Found(many))))
    assert len(answer.violations) == MOST_VIOLATIONS
    assert states(answer)["port-25"] == "broken"


@dataclass(frozen=True)
class _Found:
    violations: tuple[Violation, ...]
    flows: int = 1
    is_complete: bool = True


def test_a_flow_with_an_unknown_effect_leaves_the_other_claims_open() -> None:
    found = states(crossed(raw(Table.ADMISSION, UNKNOWN)(network_of("demo"))))
    assert found.pop("anywhere") == "broken"
    assert "proved" not in found.values()


def test_a_switch_about_which_nothing_is_known_leaves_all_claims_open() -> None:
    answer = crossed(network_of("demo"))
    assert set(states(answer, ("s2 is not connected",)).values()) == {"not decided"}
    assert findings(answer, {}, ("s2 is not connected",))["undecided_because"] == "s2 is not connected"


@pytest.mark.parametrize("more", [{"claims": [Claim.LOOP.value]}, {"is_complete": False}, {"claims": ["no"]}])
def test_an_answer_that_contradicts_itself_is_not_accepted(more: dict[str, object]) -> None:
    good = json.loads(encode_answer(Answer(7, ProofOutcome.PROVED)))
    decode_answer(json.dumps(good).encode())
    with pytest.raises(AnswerError):
        decode_answer(json.dumps({**good, **more}).encode())


def test_every_claim_has_words() -> None:
    assert set(CLAIMS) == set(Claim)
