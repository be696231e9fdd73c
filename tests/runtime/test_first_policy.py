"""The very first policy: clients wait until it is proved, but not for long."""

from ipaddress import ip_address, ip_network

import pytest

from controller.policy.model import Action
from controller.prover.answer import not_finished
from controller.prover.question import Purpose
from controller.runtime import StillStarting
from controller.runtime.commands.base import Command
from controller.runtime.commands.members import ListPools
from controller.runtime.commands.suspicion import AllowSource, EndDecisions, MakeDecisions
from controller.runtime.commands.switches import ReadStatus
from controller.runtime.events import PacketsSampled
from controller.runtime.principals import OPERATOR
from controller.suspicion.decision import Request, Scope
from controller.suspicion.scores import Evidence
from tests.world import DEMO, World


@pytest.fixture
def starting() -> World:
    """A controller that proves its first policy."""
    world = World()
    world.prover.is_prompt = False
    world.runtime.start("demo.yaml", DEMO)
    return world


@pytest.mark.parametrize("command", [ListPools(), ReadStatus()], ids=["pools", "status"])
def test_a_client_is_told_to_wait_until_the_first_policy_is_proved(
    starting: World, command: ListPools | ReadStatus
) -> None:
    with pytest.raises(StillStarting):
        starting.handle(command, OPERATOR)
    starting.prover.is_prompt = True
    starting.let_prove()
    assert starting.handle(command, OPERATOR)


def test_a_proof_that_takes_long_does_not_keep_status_from_its_reader(starting: World) -> None:
    starting.tick(15.0)
    assert starting.handle(ReadStatus(), OPERATOR) is None  # no policy is accepted yet


def test_a_first_proof_that_does_not_finish_is_asked_for_again(starting: World) -> None:
    (first,) = starting.prover.due
    starting.prover.answer = lambda question: not_finished(question.number, "no answer within 60 s")
    starting.let_prove(is_asked=True)
    starting.tick(11.0)
    (again,) = starting.prover.due
    assert again.purpose is Purpose.POLICY
    assert again.number > first.number


@pytest.mark.parametrize(
    "command",
    [
        MakeDecisions((Request(Scope(ip_network("198.51.100.66")), Action.DROP, "operator"),)),
        AllowSource(ip_network("198.51.100.66"), "a partner"),
        EndDecisions((1,)),
    ],
    ids=["decision", "allowance", "end"],
)
def test_nothing_is_decided_before_the_first_policy(starting: World, command: Command[object]) -> None:
    starting.tick(15.0)
    with pytest.raises(StillStarting, match="no policy is in force yet"):
        starting.handle(command, OPERATOR)


def test_samples_that_come_before_the_first_policy_are_no_evidence(starting: World) -> None:
    sample = Evidence("decoy-login", ip_address("198.51.100.66"))
    starting.on(PacketsSampled((sample,) * 3))
    assert starting.events("SourceSuspected") == []
