"""A wire sends at the end of the turn, in order, bounded; and forgets what it may not send any more."""

from services.mail.io.wire import Outbox, Sweeper
from tests.mail.playbook.memory import MemoryTransport, Turns
from tests.mail.playbook.stage import ClientSide


class Line:
    """A wire whose other end notes each piece that was sent."""

    def __init__(self) -> None:
        self.turns, self.sent = Turns(), list[bytes]()
        self.wire = ClientSide(Sweeper(lambda: 0.0), Outbox(self.turns.soon))
        self.end = MemoryTransport(self.turns, self.wire, self.sent.append)
        self.wire.connection_made(self.end)


def test_what_is_written_in_one_turn_is_sent_once_at_its_end() -> None:
    line = Line()
    line.wire.write(b"a")
    line.wire.write(b"b")
    assert line.sent == []
    line.turns.settle()
    line.wire.write(b"c")
    line.turns.settle()
    assert line.sent == [b"ab", b"c"]


def test_much_is_sent_at_once_so_that_the_transport_can_push_back() -> None:
    line = Line()
    line.wire.write(b"x" * 65_537)
    assert [len(piece) for piece in line.sent] == [65_537]


def test_closing_sends_what_was_written_before() -> None:
    line = Line()
    line.wire.write(b"bye")
    line.wire.close()
    assert line.sent == [b"bye"] and line.end.is_closed


class StuckTransport(MemoryTransport):
    """Its peer does not read: what is sent stays here, and it closes only by force."""

    def close(self) -> None:
        """Wait for the peer."""


def test_a_peer_that_does_not_take_its_last_reply_is_cut_off() -> None:
    times = [0.0]
    sweeper, turns = Sweeper(lambda: times[-1]), Turns()
    wire = ClientSide(sweeper, Outbox(turns.soon))
    end = StuckTransport(turns, wire, lambda _: None)
    wire.connection_made(end)
    wire.write(b"bye")
    wire.close()
    for second, is_open in ((29.0, True), (31.0, False)):
        times.append(second)
        sweeper.sweep()
        turns.settle()
        assert end.is_closed is not is_open
    assert sweeper.wires == set()


def test_a_peer_that_half_closes_is_still_written_to_where_that_is_wanted() -> None:
    line = Line()
    assert line.wire.eof_received()
    line.wire.write(b"bye")
    line.turns.settle()
    assert line.sent == [b"bye"]


def test_a_peer_that_half_closes_elsewhere_gets_what_was_written_before() -> None:
    line = Line()
    line.wire.answers_after_eof = False
    line.wire.write(b"bye")
    line.wire.eof_received()
    line.wire.write(b"too late")
    line.turns.settle()
    assert line.sent == [b"bye"]


def test_aborting_forgets_what_was_not_sent() -> None:
    line = Line()
    line.wire.write(b"the dot")
    line.wire.abort()
    line.turns.settle()
    assert line.sent == [] and line.end.is_closed
