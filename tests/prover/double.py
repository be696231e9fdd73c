"""A proving process for tests, with a proof of its own that does what the policy's first switch is called.

Everything but the proof is the real program: `python -m tests.prover.double PARENT MEMORY`.
"""

import os
import signal
import socket
import sys
import time
from dataclasses import dataclass

from controller.proof.model import Claim, FlowStep, NetworkState, Violation
from controller.prover.answer import Answer
from controller.prover.question import Asking, Purpose
from controller.prover.worker import Worker, be_limited

FAILS, RAISES, SLOW, HUNGRY, DIES, STOPS = "fails", "raises", "slow", "hungry", "dies", "stops"
BEGINS_LATE = "late"
_STEP = FlowStep("s1", "forward", 1000, 0x9057, "tenants.acme.mail", "eth_dst=02:aa:00:00:00:01 -> output 2")
VIOLATION = Violation(Claim.PORT_25, "uplinks.backbone", "tenants.acme", "tcp 25", "", (_STEP,), True)


@dataclass(frozen=True)
class Found:
    flows: int
    violations: tuple[Violation, ...]
    is_complete: bool = True


def prove(network: NetworkState, purpose: Purpose) -> Found:
    flows = sum(len(state.flows) for state in network.switches.values())
    name = next(iter(network.switches))
    match name.partition("-")[0]:
        case "fails":
            return Found(flows, (VIOLATION,) * 200)
        case "raises":
            raise KeyError("table")
        case "slow" | "late":
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                pass
        case "hungry":
            bytearray(1 << 40)
        case "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stops":
            os.kill(os.getpid(), signal.SIGSTOP)
    return Found(flows, ())


class SometimesLate(Worker):
    """Takes a while to begin a proof, if the first switch is called so."""

    def _answer(self, asking: Asking, network: NetworkState) -> Answer:
        if BEGINS_LATE in network.switches:
            time.sleep(0.5)
        return super()._answer(asking, network)


def main() -> None:
    be_limited(int(sys.argv[1]), int(sys.argv[2]))
    SometimesLate(socket.socket(fileno=os.dup(0)), prove).run()


if __name__ == "__main__":
    main()
