"""Runs random traffic on a network, round by round: the switches forget all connections between rounds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.ovs.frames.network import Arrival, NetworkUnderTest, Sent
from tests.ovs.frames.traffic import Traffic

FRAMES_PER_ROUND = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """One frame that was sent, and what arrived then: usually itself, or nothing."""

    frame: Sent
    arrivals: tuple[Arrival, ...]


def talk(
    network: NetworkUnderTest, traffic: Traffic, frames: int, forget: Callable[[], None]
) -> Iterator[Outcome]:
    """Send at least so many frames, one after the other; `forget` is called whenever a round begins."""
    sent = 0
    while sent < frames:
        network.control.forget_connections()
        network.let_pieces_expire()
        traffic.forget()
        forget()
        end = sent + FRAMES_PER_ROUND
        while sent < end:
            for frame in traffic.step():
                arrivals = tuple(network.send_one(frame))
                traffic.hear(arrivals)
                sent += 1
                yield Outcome(frame, arrivals)
