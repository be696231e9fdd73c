"""What a responder says: senders hear a refusal of this one message, and nothing is ever taken."""

import hypothesis
import pytest
from hypothesis import strategies as st

from services.responder.dialogue import MAX_COMMANDS, PUT_OFF, REFUSED, RefusalDialogue
from services.smtp.catalogue import OwnReply
from services.smtp.lines import MAX_COMMAND_BYTES
from tests.examples import examples

MAIL, RCPT = "MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>"
COMMANDS = ["EHLO client.example", "HELO c", MAIL, RCPT, "RSET", "NOOP"]
LAST_WORDS = ["DATA", "BDAT 5 LAST", "QUIT"]


def dialogue(refusal: OwnReply = PUT_OFF) -> RefusalDialogue:
    return RefusalDialogue(refusal, "abc")


def said(to: RefusalDialogue, *lines: str) -> list[str]:
    return to.feed(b"".join(f"{line}\r\n".encode() for line in lines)).decode().splitlines()


def codes(to: RefusalDialogue, *lines: str) -> list[str]:
    """Return the code of each whole reply."""
    return [line[:3] for line in said(to, *lines) if line[3] == " "]


@pytest.mark.parametrize(("refusal", "code"), [(PUT_OFF, "451 4.3.2"), (REFUSED, "554 5.3.2")])
def test_a_sender_is_greeted_and_refused_at_mail_with_the_reason_and_a_trace(
    refusal: OwnReply, code: str
) -> None:
    client = dialogue(refusal)
    assert client.greet().startswith(b"220 ")
    assert codes(client, "EHLO client.example") == ["250"]
    (reply,) = said(client, "MAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME SMTPUTF8")
    assert reply.startswith(code)
    assert reply.endswith(" [abc]")
    assert codes(client, "QUIT") == ["221"]
    assert client.is_over


def test_what_senders_would_bounce_for_if_it_was_not_offered_is_offered() -> None:
    lines = said(dialogue(), "EHLO client.example")
    assert {"250-8BITMIME", "250-SMTPUTF8", "250 ENHANCEDSTATUSCODES"} <= set(lines)


def test_nothing_is_offered_that_cannot_be_kept() -> None:
    offered = " ".join(said(dialogue(), "EHLO client.example"))
    assert not any(word in offered for word in ("PIPELINING", "STARTTLS", "CHUNKING", "AUTH"))


@pytest.mark.parametrize("command", ["DATA", "BDAT 5 LAST"])
def test_a_message_is_never_taken_and_its_bytes_are_never_commands(command: str) -> None:
    client = dialogue()
    assert codes(client, "EHLO c", RCPT, command, MAIL) == ["250", "503", "503"]
    assert client.is_over
    assert client.commands == 3


@pytest.mark.parametrize("command", [MAIL, RCPT, "RSET", "NOOP", "DATA", "EHLO c"])
def test_a_refused_client_needs_a_new_session_which_may_meet_the_pool_itself(command: str) -> None:
    client = dialogue()
    assert codes(client, "EHLO c", MAIL, command, "NOOP") == ["250", "451", "421"]
    assert client.is_over


def test_a_client_that_only_chatters_is_sent_away() -> None:
    client = dialogue()
    heard = codes(client, *["NOOP"] * 100)
    assert heard == ["250"] * (MAX_COMMANDS - 1) + ["421"]
    assert client.feed(b"NOOP\r\n") == b""


@pytest.mark.parametrize("bad", [b"NOOP\n", b"NO\0OP\r\n", b"NO\rOP\r\n", b"x" * MAX_COMMAND_BYTES + b"\r\n"])
def test_a_line_that_is_none_is_refused_and_counted(bad: bytes) -> None:
    client = dialogue()
    assert client.feed(bad).startswith(b"500 5.5.2 ")
    assert client.commands == 1


def test_an_endless_line_does_not_grow_the_buffer() -> None:
    client = dialogue()
    for _ in range(MAX_COMMANDS * 40):
        client.feed(b"x" * MAX_COMMAND_BYTES)
        assert len(client._buffer) < MAX_COMMAND_BYTES
    assert client.is_over


@hypothesis.given(st.lists(st.sampled_from([*COMMANDS, *LAST_WORDS, "", "NONSENSE"]), max_size=30), st.data())
@examples(60)
def test_any_split_of_the_same_bytes_gives_the_same_replies(lines: list[str], data: st.DataObject) -> None:
    sent = "".join(f"{line}\r\n" for line in lines).encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(sent)), max_size=8)))
    whole, split = dialogue(), dialogue()
    ends = zip([0, *cuts], [*cuts, len(sent)], strict=True)
    assert whole.feed(sent) == b"".join(split.feed(sent[begin:end]) for begin, end in ends)


_PIECE = st.one_of(st.binary(max_size=300), st.sampled_from([b"\r\n", b"DATA\r\n", b"MAIL \r\n"]))


@hypothesis.given(st.lists(_PIECE))
@examples(100)
def test_any_garbage_is_answered_with_few_words_and_never_taken(pieces: list[bytes]) -> None:
    client = dialogue()
    heard = b"".join(map(client.feed, pieces))
    assert heard == b"" or heard.endswith(b"\r\n")
    assert not any(line.startswith(b"354") for line in heard.split(b"\r\n"))
    assert client.commands <= MAX_COMMANDS
    assert len(heard) < 200 * MAX_COMMANDS


def test_a_line_that_is_too_long_is_refused_once_and_its_rest_is_not_a_command() -> None:
    client = dialogue()
    head, tail = b"NOOP " + b"x" * (MAX_COMMAND_BYTES + 10), b"y" * 10 + b"\r\nNOOP\r\n"
    replies = client.feed(head) + client.feed(tail)
    assert [line[:3] for line in replies.decode().splitlines()] == ["500", "250"]
