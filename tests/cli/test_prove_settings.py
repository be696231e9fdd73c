"""`prove` and `status` while a switch does something else than its flows say, or perhaps does."""

import json
from dataclasses import replace

import pytest

from common.exit_codes import ExitCode
from controller.runtime.events import BridgesRead, BridgesUnread
from tests.api.conftest import Northbound
from tests.cli.conftest import Postern
from tests.cli.test_plan_settings import DOWN, drop_fragments, reporting, set_port, turn
from tests.runtime.test_bridges import GOOD, STANDALONE
from tests.runtime.test_gate import failed

__all__ = ["reporting"]  # a fixture

SAID = "switch s1 does not behave as the proof assumes: "
FAIL_MODE = f"{SAID}changed fail mode: standalone, instead of secure"


@pytest.fixture
def standalone(reporting: Northbound) -> Northbound:
    reporting.world.runtime.on(BridgesRead((replace(GOOD, wrong=STANDALONE),)))
    return reporting


def test_a_proof_over_flows_is_not_decided_while_a_switch_has_other_rules(
    postern: Postern, standalone: Northbound
) -> None:
    answer = postern("prove")
    assert answer.code == ExitCode.FAILED
    first, second, *rest = answer.out.splitlines()
    assert first.startswith("revision 2 proved over the known flows, but NOT decided for all packets ")
    assert second == f"  ! not proved: {FAIL_MODE}"
    assert not [line for line in rest if line.startswith("  proved")]
    assert [line for line in rest if line.startswith("  UNDECIDED   port-25 ")]


def test_the_document_of_a_proof_says_so_too(postern: Postern, standalone: Northbound) -> None:
    found = json.loads(postern("prove", "--json").out)
    assert (found["state"], found["unmet"]) == ("not decided", [FAIL_MODE])
    assert found["last"]["undecided_because"] == FAIL_MODE
    assert {claim["state"] for claim in found["last"]["claims"]} == {"not decided"}


def test_status_says_that_the_proof_does_not_hold(postern: Postern, standalone: Northbound) -> None:
    answer = postern("status")
    assert answer.code == ExitCode.FAILED
    assert f"  ! {FAIL_MODE}\n" in answer.out
    assert "proved over the known flows, but NOT decided for all packets" in answer.out


def test_fragments_that_are_not_normal_leave_the_proof_open_until_they_are(
    postern: Postern, reporting: Northbound
) -> None:
    drop_fragments(reporting)
    assert f"{SAID}changed setting: fragments are drop, instead of normal" in postern("prove").out
    assert reporting.channel is not None
    reporting.channel.switch.fragments = 0
    turn(reporting)
    assert postern("prove").code == ExitCode.OK


def test_a_port_that_is_down_leaves_a_proof_as_it_is(postern: Postern, reporting: Northbound) -> None:
    set_port(reporting, 4, DOWN)
    assert postern("prove").code == ExitCode.OK


def test_a_bridge_that_should_be_seen_and_cannot_be_leaves_the_proof_open(
    postern: Postern, reporting: Northbound
) -> None:
    reporting.world.runtime.on(BridgesUnread("db.sock: Permission denied"))
    answer = postern("prove")
    assert answer.code == ExitCode.FAILED
    assert "it is not known whether switch s1 behaves as the proof assumes: controllers, fail" in answer.out


def test_a_bridge_that_is_not_to_be_seen_does_not_make_every_proof_fail(
    postern: Postern, reporting: Northbound
) -> None:
    reporting.world.runtime.on(BridgesUnread("POSTERN_SWITCH_DATABASE is off", is_wanted=False))
    assert postern("prove").code == ExitCode.OK


def test_a_switch_that_has_fallen_silent_since_its_proof_is_not_proved(
    postern: Postern, reporting: Northbound
) -> None:
    reporting.channel = None  # nothing that travels is answered any more
    for _ in range(6):
        reporting.world.tick(0.5)
    answer = postern("prove")
    assert answer.code == ExitCode.FAILED
    assert "  ! not proved: s1: no answer for 2 s\n" in answer.out


def test_a_claim_that_is_broken_is_still_called_so(postern: Postern, standalone: Northbound) -> None:
    standalone.world.prover.answer = failed
    standalone.world.tick(2.0)
    found = json.loads(postern("prove", "--json").out)
    assert found["state"] == "failed"
    assert "broken" in {claim["state"] for claim in found["last"]["claims"]}
