"""A program that asks a proving process something that takes long; it prints the number of that process."""

import threading

from controller.prover.answer import ProverStarted
from tests.prover import double
from tests.prover.conftest import LIMITS, Supervised, command, question


def main() -> None:
    prover = Supervised(LIMITS, command())
    pid = prover.next(ProverStarted).pid
    prover.ask(question(1, double.SLOW))
    print(pid, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
