"""One proving process: started, asked and ended. Every wait has a limit.

Uses sockets, processes and clocks of the standard library only. In the controller these are the framework's
cooperative ones, so each wait lets other work proceed; between the pieces of a question it gives way as well.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from pickle import PickleError

import controller
from controller.prover.answer import MOST_ANSWER_BYTES, Answer, AnswerError, decode_answer
from controller.prover.frames import FrameError, FrameKind, FrameReader
from controller.prover.pieces import pieces_of
from controller.prover.question import Question
from controller.prover.worker import ABANDON

_GREETS_WITHIN_S = 60.0
_ABANDONS_WITHIN_S = 5.0
_ENDS_WITHIN_S = 5.0
_LOOKS_EVERY_S = 0.05
_RECEIVED_BYTES = 1 << 16
_WORKER = "controller.prover.worker"


class ProverFailure(Exception):
    """The process has ended, does not answer, or answers something else. It must be ended."""


class ProofTimeout(ProverFailure):
    """No answer came in time: the proof is too large, or the process is stuck."""


@dataclass(frozen=True, slots=True)
class ProofLimits:
    """`seconds`: of one proof, with sending the question. `memory_bytes`: of the process."""

    seconds: float
    memory_bytes: int


def worker_command(memory_bytes: int) -> list[str]:
    return [sys.executable, "-P", "-m", _WORKER, str(os.getpid()), str(memory_bytes)]


class ProvingProcess:
    """A running process. Raise `ProverFailure` if it cannot be started."""

    def __init__(self, command: Sequence[str]) -> None:
        self._known: Question | None = None
        self._frames = FrameReader(MOST_ANSWER_BYTES)
        self._channel, end = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                command, stdin=end.fileno(), stdout=subprocess.DEVNULL, env=_environment()
            )
        except OSError as error:
            self._channel.close()
            raise ProverFailure(f"it cannot be started: {error}") from error
        finally:
            end.close()
        try:
            self._check_greeting()
        except ProverFailure:
            self.end()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def ask(self, question: Question, limit_s: float, is_wanted: Callable[[], bool]) -> Answer | None:
        """Return the answer; None once `is_wanted` is no longer true. Raise `ProverFailure`."""
        deadline = time.monotonic() + limit_s
        try:
            for piece in pieces_of(question, self._known):
                if piece:
                    self._send(piece, deadline)
                time.sleep(0)
        except (ValueError, TypeError, PickleError) as error:  # a mistake of ours must not end the supervisor
            raise ProverFailure(f"the question cannot be sent: {type(error).__name__}: {error}") from error
        self._known = question
        is_abandoned = False
        while (body := self._receive(FrameKind.ANSWER, deadline)) is None:
            if time.monotonic() >= deadline:
                raise ProofTimeout(f"no answer within {limit_s:g} s")
            if not is_abandoned and not is_wanted():
                is_abandoned, deadline = True, time.monotonic() + _ABANDONS_WITHIN_S
            if is_abandoned:  # again and again: it means nothing to a process that has not begun the proof
                self._process.send_signal(ABANDON)
        answer = self._decoded(body, question.number)
        return None if is_abandoned else answer

    def end(self) -> None:
        """Kill the process, and wait until it has ended."""
        self._channel.close()
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDS_WITHIN_S)

    def _decoded(self, body: bytes, number: int) -> Answer:
        try:
            answer = decode_answer(body)
        except AnswerError as error:
            raise ProverFailure(str(error)) from error
        if answer.number != number:
            raise ProverFailure(f"it answers question {answer.number} instead of {number}")
        return answer

    def _check_greeting(self) -> None:
        """Only a process of the same version understands the questions: Postern may have been upgraded."""
        deadline = time.monotonic() + _GREETS_WITHIN_S
        while (body := self._receive(FrameKind.GREETING, deadline)) is None:
            if time.monotonic() >= deadline:
                raise ProverFailure(f"it does not start within {_GREETS_WITHIN_S:g} s")
        try:
            found = json.loads(body)["version"]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise ProverFailure("its greeting is not valid") from error
        if found != (own := version("postern")):
            raise ProverFailure(
                f"version {found!s:.40} is installed, and {own} is running; remedy: restart the controller"
            )

    def _send(self, piece: bytes, deadline: float) -> None:
        self._channel.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            self._channel.sendall(piece)
        except TimeoutError as error:
            raise ProofTimeout("it does not read the question") from error
        except OSError as error:
            raise ProverFailure(self._why_ended()) from error

    def _receive(self, expected: FrameKind, deadline: float) -> bytes | None:
        """Return the body of the next frame; None: it has not come within a moment."""
        self._channel.settimeout(max(0.001, min(_LOOKS_EVERY_S, deadline - time.monotonic())))
        try:
            data = self._channel.recv(_RECEIVED_BYTES)
        except TimeoutError:
            return None
        except OSError as error:
            raise ProverFailure(self._why_ended()) from error
        if not data:
            raise ProverFailure(self._why_ended())
        try:
            frames = list(self._frames.feed(data))
        except FrameError as error:
            raise ProverFailure(f"its answer is not valid: {error}") from error
        if not frames:
            return None
        ((kind, body), *more) = frames
        if kind is not expected or more:
            raise ProverFailure(f"it sends {kind.name}, and {len(more)} more frames; {expected.name} is due")
        return body

    def _why_ended(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_ENDS_WITHIN_S)
            return f"it has ended, by signal {-code}" if code < 0 else f"it has ended, with exit code {code}"
        return "it has closed its channel"


def _environment() -> dict[str, str]:
    """The process must have the very code of this one."""
    own = str(Path(controller.__file__).parents[1])
    paths = [own, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
