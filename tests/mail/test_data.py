"""Where a message ends, and what is noticed in it (cases 1, 2, 5, 8, 9)."""

import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.smtp.data import DataReceiver, Normalizer, Unstuffer

ALMOST_ENDS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\r\n.\r\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\n.\r",
]


def receive(*segments: bytes) -> tuple[bytes, bytes, DataReceiver]:
    receiver = DataReceiver()
    message, rest = b"", b""
    for segment in segments:
        if receiver.is_done:
            rest += segment
            continue
        body, behind = receiver.feed(segment)
        message += body
        rest += behind
    return message, rest, receiver


@pytest.mark.parametrize("almost", ALMOST_ENDS)
def test_what_only_looks_like_the_end_is_content(almost: bytes) -> None:
    message, rest, receiver = receive(b"a" + almost + b"MAIL FROM:<evil@x>\r\n" + b"\r\n.\r\n")
    assert receiver.is_done
    assert (message, rest) == (b"a" + almost + b"MAIL FROM:<evil@x>\r\n\r\n", b"")


def test_an_empty_message_ends_with_its_first_five_bytes() -> None:
    assert receive(b".\r\n")[:2] == (b"", b"")


@given(st.lists(st.binary(max_size=6), max_size=12), st.binary(max_size=8))
def test_any_split_of_the_same_bytes_gives_the_same_message(pieces: list[bytes], behind: bytes) -> None:
    whole = b"".join(pieces) + b"\r\n.\r\n" + behind
    as_one = receive(whole)
    as_bytes = receive(*(whole[i : i + 1] for i in range(len(whole))))
    as_pieces = receive(*pieces, b"\r\n.\r\n" + behind)
    assert as_one[:2] == as_bytes[:2] == as_pieces[:2]
    assert as_one[2].flaws == as_bytes[2].flaws == as_pieces[2].flaws


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\0"]), max_size=20))
def test_nothing_that_was_sent_is_lost_or_added(pieces: list[bytes]) -> None:
    whole = b"".join(pieces) + b"\r\n.\r\nQUIT\r\n"
    message, rest, _ = receive(whole)
    assert message + b".\r\n" + rest == whole


@pytest.mark.parametrize(
    ("message", "count"), [(b"a\nb", 1), (b"a\rb", 1), (b"a\r\r\nb", 1), (b"a\n\rb", 2), (b"a\r\n", 0)]
)
def test_lone_newlines_are_counted(message: bytes, count: int) -> None:
    assert receive(message + b"\r\n.\r\n")[2].flaws.bare_newlines == count


def test_nul_bytes_are_counted() -> None:
    assert receive(b"a\0b\0\r\n.\r\n")[2].flaws.nul_bytes == 2


def test_a_line_of_two_mebibytes_is_noticed() -> None:
    assert receive(*[b"x" * 65_536] * 32, b"\r\n.\r\n")[2].flaws.has_endless_line


def test_a_line_of_five_thousand_bytes_is_nobodys_business() -> None:
    message, _, receiver = receive(b"x" * 5_000 + b"\r\n.\r\n")
    assert not receiver.flaws.has_endless_line
    assert message == b"x" * 5_000 + b"\r\n"


def unstuff(*pieces: bytes) -> bytes:
    unstuffer = Unstuffer()
    return b"".join(map(unstuffer.feed, pieces)) + unstuffer.feed(b"", is_last=True)


@given(st.lists(st.sampled_from([b"\r\n", b".", b"..", b"a", b"\r", b"\n"]), max_size=20))
def test_the_scanner_sees_the_same_content_however_it_is_cut(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert unstuff(*pieces) == unstuff(whole) == unstuff(*(whole[i : i + 1] for i in range(len(whole))))


def test_the_scanner_sees_lines_without_their_stuffed_dots() -> None:
    assert unstuff(b"..first\r\n..second\r\nthird.\r\n") == b".first\r\n.second\r\nthird.\r\n"


def normalize(*pieces: bytes) -> bytes:
    normalizer = Normalizer()
    return b"".join(map(normalizer.feed, pieces)) + normalizer.feed(b"", is_last=True)


def test_normalizing_never_makes_an_end_of_data() -> None:
    for almost in ALMOST_ENDS:
        wire = normalize(b"a" + almost + b"b\r\n")
        assert b"\r\n.\r\n" not in wire
        assert receive(wire + b".\r\n")[2].flaws.bare_newlines == 0


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n"]), max_size=20))
def test_a_normalized_message_is_one_message_of_whole_lines(pieces: list[bytes]) -> None:
    wire = normalize(b"".join(pieces) + b"\r\n")
    message, rest, receiver = receive(wire + b".\r\n")
    assert (message, rest, receiver.flaws.bare_newlines) == (wire, b"", 0)


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n"]), max_size=20))
def test_a_normalized_message_is_the_same_however_it_is_cut(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    content = re.sub(rb"\r\n|\r|\n", b"\r\n", unstuff(whole))
    assert unstuff(normalize(whole)) == content
    assert normalize(*pieces) == normalize(whole) == normalize(*(whole[i : i + 1] for i in range(len(whole))))


def test_normalizing_the_most_hostile_message_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        assert len(normalize(*([b"\n" * 65_536] * 64))) == 64 * 2 * 65_536
        assert tracemalloc.get_traced_memory()[1] < 5 * 64 * 65_536
    finally:
        tracemalloc.stop()


def test_normalizing_keeps_what_was_right() -> None:
    assert normalize(b"a\r\n..b\r\nc\r\n") == b"a\r\n..b\r\nc\r\n"
