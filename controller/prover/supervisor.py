"""Keeps one proving process running, and asks it the newest question of each purpose.

`run` never returns; `ask` may be called from every (green) thread. If the process ends, hangs or answers
nonsense, it is replaced after a pause, and the question is asked again.
"""

import threading
import time
from collections.abc import Callable, Sequence

from controller.prover.answer import Answer, ProverEnded, ProverReport, ProverStarted, not_finished
from controller.prover.process import ProofLimits, ProofTimeout, ProverFailure, ProvingProcess, worker_command
from controller.prover.question import Purpose, Question

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 30.0
_MOST_TRIES = 3  # for one question; it may be the question that ends the process
_LOOKS_EVERY_S = 1.0


class ProverSupervisor:
    """`tell` gets every answer, and what happens to the process."""

    def __init__(
        self, limits: ProofLimits, tell: Callable[[ProverReport], None], command: Sequence[str] = ()
    ) -> None:
        self._limits, self._tell = limits, tell
        self._command = command or worker_command(limits.memory_bytes)
        self._newest: dict[Purpose, Question] = {}
        self._changed = threading.Condition()
        self._process: ProvingProcess | None = None
        self._tries: tuple[int, int] = (0, 0)  # the question's number, and how often it was asked
        self._pause_s = _FIRST_PAUSE_S
        self._is_ending = False

    def ask(self, question: Question) -> None:
        """Ask as soon as possible, instead of older questions of this purpose."""
        with self._changed:
            self._newest[question.purpose] = question
            self._changed.notify()

    def end(self) -> None:
        """Make `run` return, without a process."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()

    def run(self) -> None:
        try:
            while not self._is_ending:
                try:
                    self._step()
                except ProofTimeout as timeout:
                    self._replace(str(timeout), 0.0)  # a large proof says nothing about the next one
                except ProverFailure as failure:
                    self._replace(str(failure), self._pause_s)
                    self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        finally:
            self._drop()

    def _step(self) -> None:
        if self._process is None:
            self._process = ProvingProcess(self._command)
            self._tell(ProverStarted(self._process.pid))
        elif not self._process.is_running:
            raise ProverFailure("it has ended")
        if question := self._next():
            self._put(self._process, question)

    def _next(self) -> Question | None:
        """Return the next question; None: there is none for a moment."""
        with self._changed:
            if not self._newest:
                self._changed.wait(_LOOKS_EVERY_S)
            return next((self._newest[each] for each in Purpose if each in self._newest), None)

    def _put(self, process: ProvingProcess, question: Question) -> None:
        number, tries = self._tries
        self._tries = (question.number, tries + 1 if number == question.number else 1)
        try:
            answer = process.ask(question, self._limits.seconds, lambda: self._is_wanted(question))
        except ProofTimeout as timeout:
            self._finish(question, not_finished(question.number, str(timeout)))
            raise
        except ProverFailure as failure:
            if self._tries[1] >= _MOST_TRIES:
                reason = f"the proving process ended {_MOST_TRIES} times over it; the last time, {failure}"
                self._finish(question, not_finished(question.number, reason))
            raise
        if answer is not None:
            self._pause_s = _FIRST_PAUSE_S
            self._finish(question, answer)

    def _is_wanted(self, question: Question) -> bool:
        """Return whether a question is still to be answered: a more urgent one interrupts it.

        A newer standing proof does not interrupt an older one. Otherwise none would ever end while the
        switches change all the time.
        """
        first = next((each for each in Purpose if each in self._newest), None)
        is_newest = self._newest.get(question.purpose) is question
        return first is question.purpose and (is_newest or question.purpose is Purpose.STANDING)

    def _finish(self, question: Question, answer: Answer) -> None:
        if self._newest.get(question.purpose) is question:
            del self._newest[question.purpose]
        self._tell(answer)

    def _replace(self, reason: str, pause_s: float) -> None:
        self._drop()
        self._tell(ProverEnded(reason, pause_s))
        time.sleep(pause_s)

    def _drop(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None
