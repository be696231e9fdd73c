"""What an agent on the gateway's own host hears, in memory."""

from collections.abc import Iterable

import pytest

from services.mail.io.driver import Driver
from services.mail.io.wire import Outbox, Sweeper
from services.mail.relay.health import answer_agent
from services.mail.relay.ports import SessionStopped
from tests.mail.playbook.memory import MemoryTransport, Turns
from tests.mail.playbook.stage import ClientSide


class Agent:
    """One dialogue with an agent; `heard` is all that it was sent."""

    def __init__(self) -> None:
        self._turns = Turns()
        self.heard = b""
        self.ended: list[BaseException | None] = []
        self._time = 0.0
        self.sweeper = Sweeper(lambda: self._time)
        wire = ClientSide(self.sweeper, Outbox(self._turns.soon))
        self.end = MemoryTransport(self._turns, wire, self._hear)
        wire.connection_made(self.end)
        self.driver = Driver(answer_agent(wire, 7), self.ended.append)
        self.driver.step()
        self._turns.settle()

    def _hear(self, data: bytes) -> None:
        self.heard += data

    def say(self, pieces: Iterable[bytes]) -> list[bytes]:
        for piece in pieces:
            self.end.receive(piece)
            self._turns.settle()
        return self.heard.splitlines()

    def wait(self, seconds: float) -> None:
        self._time += seconds
        self.sweeper.sweep()


@pytest.mark.parametrize("pieces", [[b"EHLO agent\r\nQUIT\r\n"], [b"EH", b"LO agent\r", b"\nQUIT\r\n"]])
def test_an_agent_hears_the_revision_that_is_carried_out(pieces: list[bytes]) -> None:
    agent = Agent()
    assert agent.say(pieces) == [
        b"220 postern ESMTP",
        b"250 postern carries out revision 7",
        b"221 2.0.0 bye",
    ]
    assert agent.ended == [None]


def test_no_mail_is_taken_from_an_agent() -> None:
    assert [line[:3] for line in Agent().say([b"MAIL FROM:<>\r\nDATA\r\n"])] == [b"220", b"502", b"502"]


@pytest.mark.parametrize(("said", "last"), [(b"NOOP\r\n" * 10, b"421"), (b"EHLO a\n", b"500")])
def test_an_agent_that_goes_wrong_is_sent_away(said: bytes, last: bytes) -> None:
    agent = Agent()
    assert agent.say([said])[-1][:3] == last
    assert agent.ended == [None]


def test_an_agent_that_says_nothing_is_not_waited_for_long() -> None:
    agent = Agent()
    agent.wait(4.9)
    assert agent.ended == []
    agent.wait(0.2)
    assert agent.ended == [None]


def test_an_agent_that_leaves_or_a_gateway_that_stops_ends_the_dialogue() -> None:
    left, stopped = Agent(), Agent()
    left.end.lose()
    left.say([b""])
    stopped.driver.end(SessionStopped())
    assert left.ended == stopped.ended == [None]
