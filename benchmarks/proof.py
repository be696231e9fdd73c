"""How long a proof takes: the demo, edges with many tenants, the edit of one tenant. Then what drift costs.

Times of proofs are CPU seconds of this process, without reading the policy and compiling it. An edit is
measured twice: the proof alone, and all that it costs in both processes, with what crosses. The second part
(`benchmarks.drift`) measures a real switch with 100,000 flows: the time from a change by hand to its repair,
and the cost of its monitor. It needs no root.
"""

import argparse
import itertools
import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import drift
from benchmarks.control_plane import HERE
from benchmarks.report import Comparison, Limit, Report
from common import entry
from controller.compiler.compile import compile_policy
from controller.openflow.encode import to_wire
from controller.proof.model import NetworkState
from controller.proof.prove import prove
from controller.prover.frames import FrameReader
from controller.prover.pieces import QuestionReader, pieces_of
from controller.prover.question import Purpose, Question
from controller.prover.reasoner import Reasoner
from tests.proof.edges import many_tenants
from tests.proof.networks import network_of

EDITED = "t00001"
_ROUNDS = 3
_FROM_TENANTS = 300  # a smaller network is proved as a whole


def _seconds(network: NetworkState) -> float:
    begin = time.process_time()
    assert prove(network).is_proved
    return time.process_time() - begin


class Edits:
    """Edits of one tenant, one after the other, as the controller asks about them and its prover answers."""

    def __init__(self, network: NetworkState) -> None:
        self._network, self._reader, self._reasoner = network, QuestionReader(), Reasoner()
        self._asked: Question | None = None
        self._numbers = itertools.count(1)
        self._proved(self._crossed(network))

    def next(self) -> tuple[float, float]:
        """Return the seconds of the next edit: of the proof, and of everything."""
        edited = self._edited(next(self._numbers))
        begin = time.process_time()
        arrived = self._crossed(edited)
        seconds = self._proved(arrived)
        return seconds, time.process_time() - begin

    def _edited(self, number: int) -> NetworkState:
        """Return the network with another port of the tenant's web service."""
        tenants = tuple(
            replace(each, services=tuple(replace(web, ports=(8000 + number,)) for web in each.services))
            if each.name == EDITED
            else each
            for each in self._network.policy.tenants
        )
        policy = replace(self._network.policy, tenants=tenants)
        wires = {name: to_wire(state) for name, state in compile_policy(policy).items()}
        assert wires != self._network.switches
        return NetworkState(policy, wires, self._network.conditions)

    def _crossed(self, network: NetworkState) -> NetworkState:
        number = next(self._numbers)
        asked = Question(number, Purpose.POLICY, number, network.policy, network.conditions, network.switches)
        frames, arrived = FrameReader(1 << 26), None
        for piece in pieces_of(asked, self._asked):
            for kind, body in frames.feed(piece):
                arrived = self._reader.take(kind, body)
        self._asked = asked
        assert arrived is not None
        return arrived[1]

    def _proved(self, network: NetworkState) -> float:
        begin = time.process_time()
        assert self._reasoner.prove(network, Purpose.POLICY).is_proved
        return time.process_time() - begin


def measure(tenants: list[int]) -> Report:
    """Return the times of the demo, of whole proofs, and of edits."""
    report = Report("Time of a proof")
    demo = network_of("demo")
    report.limits.append(Limit("demo", "s", [_seconds(demo) for _ in range(_ROUNDS)], 0.2))
    for count in tenants:
        network = many_tenants(count)
        whole = [_seconds(network)]
        edits = Edits(network)
        times = [edits.next() for _ in range(_ROUNDS)]
        part, all_ = [each[0] for each in times], [each[1] for each in times]
        flows = sum(len(state.flows) for state in network.switches.values())
        report.limits.append(Limit(f"{count} tenants, {flows} flows, whole", "s", whole, 10.0))
        report.limits.append(Limit(f"{count} tenants, edit of one, proof", "s", part, 0.1))
        report.limits.append(Limit(f"{count} tenants, edit of one, all of it", "s", all_, 0.3))
        if count >= _FROM_TENANTS:
            report.comparisons.append(
                Comparison(f"{count} tenants, whole to edit", "s", "edit", whole, part, wanted=5.0)
            )
    return report


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.proof", description=__doc__)
    parser.add_argument("--tenants", type=int, nargs="*", default=[100, 300, 1_000])
    parser.add_argument("--proofs-only", action="store_true", help="leave out the switch")
    parser.add_argument("--out", type=Path, default=HERE / "build" / "benchmarks" / "proof.json")
    arguments = parser.parse_args()
    report = measure(arguments.tenants)
    if not arguments.proofs_only:
        watched = drift.measure(drift.parse_arguments([]))
        report.limits += watched.limits
        report.facts["drift"] = watched.facts
    report.write(arguments.out)
    return 0 if report.is_reached else 1


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("benchmarks.proof", main)


if __name__ == "__main__":
    sys.exit(run())
