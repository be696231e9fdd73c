"""The proving process: `python -m controller.prover.worker PARENT MEMORY`; its channel is standard input.

The controller starts it, a fresh interpreter. It ends with the controller: the channel closes, and the kernel
kills it if it is busy then. PARENT: process id of the controller. MEMORY: the most it may use, in bytes.
"""

import ctypes
import gc
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version

from controller.proof.model import NetworkState
from controller.prover.answer import Answer, Findings, answer_of, encode_answer, not_finished
from controller.prover.frames import FrameKind, FrameReader, encode_frame
from controller.prover.pieces import QuestionReader
from controller.prover.question import Asking, Purpose
from controller.prover.reasoner import Reasoner

ABANDON = signal.SIGUSR1  # from the controller: the answer is no longer wanted
_PR_SET_PDEATHSIG = 1  # prctl(2)
_MOST_FRAME_BYTES = 64 << 20
_RECEIVED_BYTES = 1 << 18
Prove = Callable[[NetworkState, Purpose], Findings]


class _Abandoned(BaseException):
    """The answer is no longer wanted. Not an `Exception`, which a handler inside the proof might catch."""


class Worker:
    """Answers one question after the other."""

    def __init__(self, channel: socket.socket, prove: Prove) -> None:
        self._channel, self._prove = channel, prove
        self._questions = QuestionReader()
        self._is_proving = False

    def run(self) -> None:
        """Return when the controller closes the channel."""
        signal.signal(ABANDON, self._on_abandon)
        about = {"version": version("postern"), "pid": os.getpid()}
        self._send(FrameKind.GREETING, json.dumps(about).encode())
        frames = FrameReader(_MOST_FRAME_BYTES)
        while data := self._channel.recv(_RECEIVED_BYTES):
            for kind, body in frames.feed(data):
                if question := self._questions.take(kind, body):
                    self._send(FrameKind.ANSWER, encode_answer(self._answer(*question)))
                    del question
                    gc.collect()

    def _answer(self, asking: Asking, network: NetworkState) -> Answer:
        started = time.monotonic()
        try:
            with self._proving():
                found = self._prove(network, asking.purpose)
        except _Abandoned:
            return not_finished(asking.number, "it is no longer wanted")
        except MemoryError:
            return not_finished(asking.number, "the proof needs more memory than POSTERN_PROOF_MEMORY allows")
        except Exception as error:
            return not_finished(asking.number, f"the proof failed: {type(error).__name__}: {error}")
        seconds = time.monotonic() - started
        return answer_of(asking.number, seconds, found)

    @contextmanager
    def _proving(self) -> Iterator[None]:
        """Let the controller abandon what is done here; no garbage collector, which would take a third."""
        gc.disable()
        self._is_proving = True
        try:
            yield
        finally:
            self._is_proving = False
            gc.enable()

    def _on_abandon(self, _number: int, _frame: object) -> None:
        if self._is_proving:
            self._is_proving = False
            raise _Abandoned

    def _send(self, kind: FrameKind, body: bytes) -> None:
        try:
            self._channel.sendall(encode_frame(kind, body))
        except OSError:
            raise SystemExit(0) from None  # the controller has ended


def be_limited(parent: int, memory_bytes: int) -> None:
    """Take little of the machine, and end with the controller. Raise `SystemExit` if it has ended already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(0)  # without a word: the last line is the controller's own
    _yield_to_others()
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the controller, which closes the channel


def _yield_to_others() -> None:
    """Let the controller run the moment it has work, as sched(7) says of SCHED_BATCH, at an equal share.

    Plans wait for proofs, so a proof must not starve on a busy machine, as one of a low priority would.
    """
    with suppress(OSError):  # a sandbox may forbid it
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def main(arguments: list[str]) -> None:
    be_limited(int(arguments[0]), int(arguments[1]))
    channel = socket.socket(fileno=os.dup(0))
    channel.setblocking(True)
    Worker(channel, Reasoner().prove).run()


if __name__ == "__main__":
    main(sys.argv[1:])
