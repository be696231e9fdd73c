"""What becomes of a message: its content, its limits, the scanner, and a client that leaves; in memory."""

from collections.abc import Callable

import pytest

from services.base.clamd import Verdict, VerdictKind
from services.mail.events import MailEvent
from tests.mail.playbook.memory import Promise
from tests.mail.playbook.sender import (
    DIALOGUE,
    MESSAGE,
    NAMES,
    STEPS,
    Sender,
    check_promises,
    ends_with,
    reach,
    waits_for_scan,
)
from tests.mail.playbook.stage import SILENT, ServerScript, Stage, replies_in


def test_a_client_that_is_gone_when_the_server_has_the_message_is_noted() -> None:
    stage = reach(5, Stage(ServerScript({"DOT": SILENT})))
    stage.ask(DIALOGUE[5][1])
    stage.leave()
    stage.server.connections[0].end.receive(b"250 2.0.0 queued\r\n")
    stage.settle()
    (delivered,) = stage.journal.of(MailEvent.MESSAGE_DELIVERED)
    assert delivered["client_was_gone"] is True
    assert ends_with(stage, "client went away")


@pytest.mark.parametrize("step", STEPS, ids=NAMES)
def test_a_client_that_closes_its_sending_side_is_answered_to_the_end(step: int) -> None:
    """All that came before is processed, also what was pipelined behind it."""
    stage = reach(step)
    before = len(stage.heard)
    stage.client.data_received(DIALOGUE[step][1] + b"\r\nNOOP\r\n"[: 2 if step in (4, 7) else 8])
    stage.client.eof_received()
    stage.settle()
    replies = replies_in(stage.heard[before:])
    assert [reply[:1] for reply in replies] == (
        [b"3"] if step == 4 else [b"2"] if step == 7 else [b"2", b"2"]
    )
    assert stage.has_ended and len(stage.server.messages) == (step >= 5)
    check_promises(stage)


def test_a_message_sent_too_slowly_is_given_up() -> None:
    stage = reach(5)
    for _ in range(20):
        stage.advance(100)
        stage.send(b"x")
    assert stage.has_ended and replies_in(stage.heard)[-1].startswith(b"421 4.4.2 ")
    check_promises(stage)


def test_a_message_far_past_its_limit_is_not_read_to_its_end() -> None:
    stage = reach(5)
    for _ in range(20):
        stage.send(b"x" * 10_000)
    assert stage.has_ended and replies_in(stage.heard)[-1].startswith(b"552 5.3.4 ")
    check_promises(stage)


ACCEPTED = b"250 2.0.0 queued as 1\r\n"
MAIL_LOOP = b"Received: from x by y; now\r\n" * 101 + b"\r\nbody"
CONTENTS: dict[str, tuple[bytes, dict[str, object], bytes, bytes]] = {
    "empty": (b"", {}, ACCEPTED, b"\r\n"),
    "lone LF": (b"a\nb", {}, b"550 5.6.11 ", b""),
    "lone LF, normalized": (b"a\nb", {"bare_newlines": "normalize"}, ACCEPTED, b"a\r\nb\r\n"),
    "NUL": (b"a\0b", {}, b"550 5.6.0 ", b""),
    "NUL, passed": (b"a\0b", {"nul_bytes": "pass"}, ACCEPTED, b"a\0b\r\n"),
    "too large": (b"x" * 60_000, {}, b"552 5.3.4 ", b""),
    "a mail loop": (MAIL_LOOP, {}, b"554 5.4.6 ", b""),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_what_a_message_is_made_of_decides_its_one_reply(name: str) -> None:
    content, tenant, reply, arrives = CONTENTS[name]
    stage = reach(5, Stage(**tenant))  # type: ignore[arg-type]
    assert stage.ask(content + b"\r\n.").startswith(reply)
    assert stage.server.messages == ([arrives] if arrives else [])
    assert stage.ask(b"NOOP")[:3] == b"250"
    check_promises(stage)


def test_a_message_is_normalized_while_it_arrives() -> None:
    """Not afterwards: as a whole it would take seconds, and no other session would be served meanwhile."""
    stage = reach(5, Stage(bare_newlines="normalize"))
    stage.send(b"\n" * 1_000)
    assert stage.spools[0].size_bytes == 2_000
    assert stage.ask(b".\r\n.") == ACCEPTED
    assert stage.server.messages == [b"\r\n" * 1_000 + b"..\r\n"]
    check_promises(stage)


def test_nothing_is_kept_of_a_message_past_its_limit() -> None:
    stage = reach(5)
    for _ in range(6):
        stage.send(b"x" * 10_000)
    assert stage.spools[0].size_bytes == 0
    check_promises(stage)


def test_a_line_without_end_is_refused() -> None:
    script = ServerScript(ehlo=b"250 mx\r\n")
    stage = reach(5, Stage(script, room_bytes=5_000_000, message_limit_bytes=5_000_000))
    for _ in range(20):
        stage.send(b"x" * 60_000)
    assert stage.ask(b"\r\n.").startswith(b"550 5.6.0 ")
    check_promises(stage)


def test_a_large_message_is_passed_on_whole_in_pieces() -> None:
    script = ServerScript(ehlo=b"250 mx\r\n")
    stage = reach(5, Stage(script, room_bytes=5_000_000, message_limit_bytes=5_000_000))
    for _ in range(6_000):
        stage.send(b"y" * 70 + b"\r\n")
    assert stage.ask(b".") == ACCEPTED
    assert script.messages == [(b"y" * 70 + b"\r\n") * 6_000]
    check_promises(stage)


@pytest.mark.parametrize(("content", "room"), [(b"x" * 500, 100), (b"a\nb\nc\nd", 10)])
def test_without_room_the_message_is_put_off(content: bytes, room: int) -> None:
    stage = reach(5, Stage(room_bytes=room, bare_newlines="normalize"))
    assert stage.ask(content + b"\r\n.").startswith(b"452 4.3.1 ")
    assert stage.server.messages == []
    check_promises(stage)


# the scanner

KINDS = tuple(VerdictKind)
DISPOSITIONS = ("reject", "tempfail", "pass-tagged")


@pytest.mark.parametrize("disposition", DISPOSITIONS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not VerdictKind.CLEAN])
def test_a_verdict_other_than_clean_is_handled_as_the_tenant_wants(
    kind: VerdictKind, disposition: str
) -> None:
    stage = reach(
        5, Stage(verdict=Verdict(kind, "Some.Signature", "s"), scan=[], on_verdict={kind.value: disposition})
    )
    reply = stage.ask(DIALOGUE[5][1])
    assert stage.scanners.scanned == [MESSAGE + b"\r\n"]
    if disposition == "pass-tagged":
        tag = b"X-Postern-Scan: not-scanned reason=%b; trace=5e5510-1\r\n" % kind.value.encode()
        assert (reply, stage.server.messages) == (ACCEPTED, [tag + MESSAGE + b"\r\n"])
    else:
        assert reply[:9] == (b"550 5.7.1" if disposition == "reject" else b"451 4.7.1")
        assert b"secret" not in stage.server.heard and b"DATA" not in stage.server.commands
        assert stage.server.commands[-1] == b"RSET"
    check_promises(stage)


def test_a_clean_message_is_delivered_as_it_is() -> None:
    stage = reach(5, Stage(scan=[]))
    assert stage.ask(DIALOGUE[5][1]) == ACCEPTED
    assert [facts["verdict"] for facts in stage.journal.of(MailEvent.MESSAGE_SCANNED)] == ["clean"]
    check_promises(stage)


LOSSES: dict[str, Callable[[Stage], None]] = {
    "closed": lambda stage: stage.server.connections[0].end.lose(),
    "refuses RSET": lambda stage: stage.server.script.update(RSET=b"500 what?\r\n"),
    "silent at RSET": lambda stage: stage.server.script.update(RSET=SILENT),
    "garbage at RSET": lambda stage: stage.server.script.update(RSET=b"what?\r\n"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_an_infected_message_is_refused_once_whatever_the_server_does(loss: str) -> None:
    infected = Verdict(VerdictKind.INFECTED, "Some.Signature", "s")
    stage = reach(5, Stage(verdict=infected, scan=[]))
    LOSSES[loss](stage)
    stage.settle()
    assert stage.ask(DIALOGUE[5][1]).startswith(b"550 5.7.1 malware found: Some.Signature")
    stage.advance(61)
    assert b"secret" not in stage.server.heard
    assert stage.ask(b"NOOP")[:3] == b"250"
    check_promises(stage)


def test_a_slow_scan_is_waited_for() -> None:
    promise = Promise()
    stage = waits_for_scan(promise)
    stage.advance(100)
    promise.keep()
    stage.settle()
    assert stage.heard.endswith(ACCEPTED)
    check_promises(stage)


def test_a_sender_may_repeat_its_whole_dialogue() -> None:
    stage = Stage()
    Sender(stage).run((*DIALOGUE[:6], *DIALOGUE[1:6], *DIALOGUE[6:]))
    assert stage.server.messages == [MESSAGE + b"\r\n"] * 2
