import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from controller.compiler.compile import compile_policy
from controller.compiler.network_state import ALL_IS_WELL
from controller.openflow.encode import to_wire
from controller.policy.parse import read_policy
from controller.prover.answer import Answer, ProverEnded, ProverReport, ProverStarted
from controller.prover.process import ProofLimits
from controller.prover.question import Purpose, Question
from controller.prover.supervisor import ProverSupervisor
from controller.sync.state import WireState
from tests.antivirus.conftest import await_that
from tests.world import POLICIES

R = TypeVar("R", Answer, ProverEnded, ProverStarted)
MEMORY_BYTES = 1 << 30
DEMO = read_policy(POLICIES / "demo.yaml")
WIRES = {name: to_wire(state) for name, state in compile_policy(DEMO).items()}
LIMITS = ProofLimits(30.0, MEMORY_BYTES)


def question(
    number: int, name: str = "s1", purpose: Purpose = Purpose.PLAN, state: WireState = WIRES["s1"]
) -> Question:
    return Question(number, purpose, 7, DEMO, ALL_IS_WELL, {name: state})


def command(module: str = "tests.prover.double") -> list[str]:
    return [sys.executable, "-m", module, str(os.getpid()), str(MEMORY_BYTES)]


class Supervised:
    """A supervisor that runs in a thread, and what it has reported."""

    def __init__(self, limits: ProofLimits, words: list[str]) -> None:
        self.reports: queue.SimpleQueue[ProverReport] = queue.SimpleQueue()
        self.supervisor = ProverSupervisor(limits, self.reports.put, words)
        self._thread = threading.Thread(target=self.supervisor.run)
        self._thread.start()

    def ask(self, asked: Question) -> None:
        self.supervisor.ask(asked)

    def await_asked(self, number: int) -> None:
        """Wait until a question is being sent, or was sent."""
        await_that(lambda: self.supervisor._tries[0] == number, f"question {number} is asked")

    def next(self, kind: type[R]) -> R:
        """Return the next report of a kind, and forget those before it."""
        while not isinstance(report := self.reports.get(timeout=60), kind):
            pass
        return report

    def stop(self) -> None:
        self.supervisor.end()
        self._thread.join(60)
        assert not self._thread.is_alive()


Supervise = Callable[..., Supervised]


@pytest.fixture
def supervise() -> Iterator[Supervise]:
    running = []

    def start(limits: ProofLimits = LIMITS, words: list[str] | None = None) -> Supervised:
        running.append(Supervised(limits, words or command()))
        return running[-1]

    yield start
    for each in running:
        each.stop()
