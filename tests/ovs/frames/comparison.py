"""Compares what arrives on real switches with what the proof foresees, frame by frame."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.ovs.frames.connections import Connection, read_connections
from tests.ovs.frames.conversation import Outcome
from tests.ovs.frames.dissect import dissect
from tests.ovs.frames.foresight import Foresight
from tests.ovs.frames.hosts import Cast
from tests.ovs.frames.network import Arrival, NetworkUnderTest
from tests.ovs.frames.relations import Relations


@dataclass(slots=True)
class Figures:
    """`first`: first packets that the proof says may arrive somewhere. `exact`: those of them that do."""

    frames: int = 0
    arrivals: int = 0
    first: int = 0
    exact: int = 0
    not_foreseen: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.frames} frames, {self.arrivals} arrivals, {len(self.not_foreseen)} not foreseen; "
            f"{self.exact} of {self.first} first packets exact"
        )


class Comparison:
    """Takes outcomes in their order, and counts."""

    def __init__(
        self, cast: Cast, network: NetworkUnderTest, foresight: Foresight, is_faulty: bool = False
    ) -> None:
        self.figures = Figures()
        self._cast, self._network, self._foresight = cast, network, foresight
        self._relations = Relations(cast, is_faulty)
        self._before: list[Connection] = []

    def forget(self) -> None:
        """The switches have forgotten all connections."""
        self._before = []

    def take(self, outcomes: Iterable[Outcome]) -> Figures:
        for outcome in outcomes:
            after = (
                read_connections(self._network.control.connections()) if outcome.arrivals else self._before
            )
            self.figures.frames += 1
            for arrival in outcome.arrivals:
                self._judge(arrival, after)
            if outcome.frame.what == "first packet":
                self._count_first(outcome)
            self._before = after
        return self.figures

    def _judge(self, arrival: Arrival, after: list[Connection]) -> None:
        self.figures.arrivals += 1
        sender, receiver = self._cast.host_at[arrival.frame.at], self._cast.host_at[arrival.at]
        sent, seen = dissect(arrival.frame.data), dissect(arrival.data)
        relations = self._relations.of(sender, sent, receiver, self._before, after)
        if not self._foresight.foresees(sender, arrival.at, seen, relations):
            text = f"{arrival.frame.what}: {sender.path} -> {receiver.path}: {seen} {relations}"
            self.figures.not_foreseen.append(text)

    def _count_first(self, outcome: Outcome) -> None:
        sender = self._cast.host_at[outcome.frame.at]
        sent = dissect(outcome.frame.data)
        if self._foresight.ports_of(sender, sent, self._network.edge_ports) or outcome.arrivals:
            self.figures.first += 1
            self.figures.exact += bool(outcome.arrivals)
