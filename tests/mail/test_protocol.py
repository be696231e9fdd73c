"""Lines, paths, replies and clamd's answers: strict, bounded, never a guess."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.base.clamd import Verdict, VerdictKind, encode_chunk, parse_answer
from services.smtp.catalogue import OwnReply, with_trace
from services.smtp.commands import CommandError, Problem, parse_path, verb_of
from services.smtp.lines import LineError, take_line
from services.smtp.replies import ReplyError, take_reply

ALL = frozenset({"SIZE", "8BITMIME", "SMTPUTF8", "DSN"})


@pytest.mark.parametrize(
    "line", [b"NOOP\n", b"NO\rOP\r\n", b"NO\0OP\r\n", b"x" * 3_000 + b"\r\n", b"RSET\r\r\n"]
)
def test_a_malformed_line_is_refused_and_consumed(line: bytes) -> None:
    buffer = bytearray(line + b"QUIT\r\n")
    with pytest.raises(LineError):
        take_line(buffer)
    assert take_line(buffer) == b"QUIT"


def test_an_endless_line_does_not_grow_the_buffer() -> None:
    buffer = bytearray(b"x" * 10_000)
    with pytest.raises(LineError):
        take_line(buffer)
    assert not buffer


def test_an_incomplete_line_waits() -> None:
    buffer = bytearray(b"EHLO x\r")
    assert take_line(buffer) is None
    buffer += b"\n"
    assert take_line(buffer) == b"EHLO x"


@given(st.binary(max_size=4_000))
def test_any_garbage_is_a_line_a_line_error_or_too_little(garbage: bytes) -> None:
    buffer = bytearray(garbage)
    for _ in range(len(garbage) + 1):
        try:
            if take_line(buffer) is None:
                break
        except LineError:
            continue
    assert len(buffer) < 2_048


@pytest.mark.parametrize(
    ("line", "address"),
    [
        (b"MAIL FROM:<a@b.example>", "a@b.example"),
        (b"mail from: <A@B.example>  ", "a@b.example"),
        (b"MAIL FROM:<>", ""),
        (b"RCPT TO:<@relay.example,@other.example:a@b.example>", "a@b.example"),
        (b'RCPT TO:<"strange > @ \\" one"@b.example>', '"strange > @ \\" one"@b.example'),
        (b"RCPT TO:<a@[192.0.2.1]>", "a@[192.0.2.1]"),
        (b"RCPT TO:<a@[IPv6:2001:db8::1]>", "a@[ipv6:2001:db8::1]"),
        (b"RCPT TO:<postmaster>", "postmaster"),
        (b"RCPT TO:<Postmaster>", "postmaster"),
    ],
)
def test_addresses_in_every_form_of_the_rfc_are_understood(line: bytes, address: str) -> None:
    assert parse_path(line, ALL).address == address


@pytest.mark.parametrize(
    "line",
    [
        b"MAIL FROM:a@b.example",
        b"MAIL FROM:<a@b.example",
        b"MAIL FROM:<a@b.example>> SIZE=1",
        b"MAIL FROM <a@b.example>",
        b"MAIL FROM:<a b@c.example>",
        b"MAIL FROM:<a@b@c.example>",
        b"MAIL FROM:<a..b@c.example>",
        b"RCPT TO:<>",
        b"RCPT TO:<nobody>",
        b'RCPT TO:<"a@b.example>',
        b"RCPT TO:<a@b.example>garbage",
        b"RCPT TO:<a@b.example> =x",
    ],
)
def test_what_is_not_surely_understood_is_refused(line: bytes) -> None:
    with pytest.raises(CommandError) as caught:
        parse_path(line, ALL)
    assert caught.value.problem is Problem.SYNTAX


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"MAIL FROM:<" + b"a" * 65 + b"@b.example>", Problem.TOO_LONG),
        (b"MAIL FROM:<a@" + b"b" * 250 + b".example>", Problem.TOO_LONG),
        (b"MAIL FROM:<a@b.example> XYZ=1", Problem.UNKNOWN_PARAMETER),
        (b"MAIL FROM:<a@b.example> BODY=BINARYMIME", Problem.UNKNOWN_PARAMETER),
        (b"MAIL FROM:<a@b.example> AUTH=<>", Problem.UNKNOWN_PARAMETER),
        (b"MAIL FROM:<a@b.example> SIZE=x", Problem.BAD_PARAMETER),
        (b"MAIL FROM:<a@b.example> SIZE=1 SIZE=2", Problem.BAD_PARAMETER),
        (b"MAIL FROM:<a@b.example> ENVID=a+0D+0Ab", Problem.BAD_PARAMETER),
        (b"RCPT TO:<a@b.example> ORCPT=rfc822;a+0A@b", Problem.BAD_PARAMETER),
        (b"MAIL FROM:<a@b.example>\tSIZE=1", Problem.CONTROL),
        (b"MAIL FROM:<a\x1b[2J@b.example>", Problem.CONTROL),
    ],
)
def test_a_bad_path_or_parameter_has_its_own_reply(line: bytes, problem: Problem) -> None:
    with pytest.raises(CommandError) as caught:
        parse_path(line, ALL)
    assert caught.value.problem is problem


def test_a_parameter_that_was_not_offered_is_refused() -> None:
    with pytest.raises(CommandError) as caught:
        parse_path(b"MAIL FROM:<a@b.example> SIZE=10", frozenset())
    assert caught.value.problem is Problem.UNKNOWN_PARAMETER


def test_a_utf8_address_needs_the_extension() -> None:
    line = "MAIL FROM:<é@b.example>".encode()
    with pytest.raises(CommandError) as caught:
        parse_path(line, frozenset())
    assert caught.value.problem is Problem.NOT_ASCII
    assert parse_path(line + b" SMTPUTF8", ALL).address == "é@b.example"


@given(st.binary(max_size=300))
def test_any_garbage_is_a_path_or_a_command_error(garbage: bytes) -> None:
    for verb in (b"MAIL FROM:<", b"RCPT TO:<", b""):
        try:
            parse_path(verb + garbage, ALL)
        except CommandError:
            continue


def test_verbs_come_in_any_case() -> None:
    assert [verb_of(line) for line in (b"data", b"DaTa", b"mail FROM:<>", b"\xff\xfe")] == [
        "DATA",
        "DATA",
        "MAIL",
        "",
    ]


def test_a_reply_of_several_lines_is_taken_whole_and_passed_on_as_it_came() -> None:
    wire = b"550-5.1.1 no such user\r\n550 5.1.1 ask \xe9verybody\r\n"
    buffer = bytearray(wire + b"250 next\r\n")
    reply = take_reply(buffer)
    assert reply is not None
    assert (reply.code, reply.wire) == (550, wire)
    assert bytes(buffer) == b"250 next\r\n"


@pytest.mark.parametrize(
    "wire",
    [
        b"hello\r\n",
        b"2500 no\r\n",
        b"199 no\r\n",
        b"650 no\r\n",
        b"250-a\r\n550 b\r\n",
        b"250 a\nb\r\n",
        b"250 a\0\r\n",
        b"250_x\r\n",
        b"\r\n",
        b"250-x\r\n" * 600,
        b"250 " + b"x" * 70_000,
        (b"250-" + b"x" * 40_000 + b"\r\n") * 2,
    ],
)
def test_a_reply_that_makes_no_sense_is_an_error(wire: bytes) -> None:
    with pytest.raises(ReplyError):
        take_reply(bytearray(wire))


@given(st.binary(max_size=500))
def test_any_garbage_is_a_reply_an_error_or_too_little(garbage: bytes) -> None:
    try:
        take_reply(bytearray(garbage))
    except ReplyError:
        return


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"stream: OK", VerdictKind.CLEAN),
        (b"stream: Win.Test.EICAR_HDB-1 FOUND", VerdictKind.INFECTED),
        (b"stream: Heuristics.Limits.Exceeded.MaxFiles FOUND", VerdictKind.LIMITS),
        (b"stream: Heuristics.Encrypted.Zip FOUND", VerdictKind.ENCRYPTED),
        (b"INSTREAM size limit exceeded. ERROR", VerdictKind.LIMITS),
        (b"stream: Can't allocate memory ERROR", VerdictKind.UNAVAILABLE),
        (b"", VerdictKind.UNAVAILABLE),
        (b"stream: OK\nstream: OK", VerdictKind.UNAVAILABLE),
        (b"OK", VerdictKind.UNAVAILABLE),
        (b"stream: \x1b[31m FOUND", VerdictKind.UNAVAILABLE),
    ],
)
def test_only_documented_answers_of_clamd_are_verdicts(answer: bytes, kind: VerdictKind) -> None:
    assert parse_answer(answer, "s").kind is kind


@given(st.binary(max_size=200))
def test_no_garbage_from_a_scanner_ever_means_clean(garbage: bytes) -> None:
    if garbage.strip() != b"stream: OK":
        assert parse_answer(garbage, "s").kind is not VerdictKind.CLEAN


def test_chunks_carry_their_length_first() -> None:
    assert encode_chunk(b"abc") == b"\0\0\0\3abc"


def test_refusals_carry_the_trace_id_and_welcomes_do_not() -> None:
    assert with_trace(OwnReply(451, "4.4.1 later"), "abc-1") == b"451 4.4.1 later [abc-1]\r\n"
    assert with_trace(OwnReply(221, "2.0.0 bye"), "abc-1") == b"221 2.0.0 bye\r\n"


def test_a_verdict_without_detail_is_not_cached() -> None:
    assert not Verdict(VerdictKind.CLEAN).is_cached
