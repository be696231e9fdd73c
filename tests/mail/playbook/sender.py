"""A client that sends one message and holds the gateway to its promises after each command.

One reply to each command; 2xx for a message only as a copy of the server's; nothing left open at the end.
"""

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from services.mail.events import MailEvent
from tests.mail.playbook.memory import Promise
from tests.mail.playbook.stage import Stage, replies_in

MESSAGE = b"Subject: hello\r\nMessage-ID: <1@b.example>\r\n\r\nsecret body\r\n..dot"
DIALOGUE = (
    ("EHLO", b"EHLO client.example"),
    ("MAIL", b"MAIL FROM:<a@b.example>"),
    ("RCPT", b"RCPT TO:<c@acme.example>"),
    ("RCPT", b"RCPT TO:<d@acme.example>"),
    ("DATA", b"DATA"),
    ("MESSAGE", MESSAGE + b"\r\n."),
    ("RSET", b"RSET"),
    ("QUIT", b"QUIT"),
)
ENDS = (
    MailEvent.MESSAGE_DELIVERED,
    MailEvent.MESSAGE_REJECTED,
    MailEvent.MESSAGE_DEFERRED,
    MailEvent.DELIVERY_IN_DOUBT,
)


@dataclass
class Sender:
    """`is_stubborn`: goes on with the next command, whatever the reply to the last."""

    stage: Stage
    is_stubborn: bool = False
    replies: dict[str, bytes] = field(default_factory=dict)

    def run(self, dialogue: tuple[tuple[str, bytes], ...] = DIALOGUE) -> "Sender":
        stage = self.stage.begin()
        if not stage.heard:
            stage.patient_reply()
        self._take("GREETING", 0)
        for step, line in dialogue:
            if stage.has_ended or self._skips(step):
                continue
            self.ask(step, line)
        check_promises(stage)
        return self

    def ask(self, step: str, line: bytes) -> bytes:
        before = len(self.stage.heard)
        if not self.stage.ask(line):
            self.stage.patient_reply()
        return self._take(step, before)

    def _take(self, step: str, before: int) -> bytes:
        """Note the one reply to a step. Where the session ended without, it is empty."""
        stage = self.stage
        stage.settle()
        replies = replies_in(stage.heard[before:])
        assert len(replies) == 1 or (not replies and stage.has_ended), (step, replies)
        self.replies[step] = replies[0] if replies else b""
        return self.replies[step]

    def _skips(self, step: str) -> bool:
        """Nobody sends a message without 354; a polite client does not go on after a refusal."""
        if step == "MESSAGE":
            return self.replies.get("DATA", b"")[:3] != b"354"
        if self.is_stubborn or step == "QUIT":
            return False
        return any(reply[:1] in b"45" for reply in self.replies.values())


def check_promises(stage: Stage) -> None:
    """Raise `AssertionError` if the gateway has broken what it promises for every session."""
    if not stage.has_ended:
        stage.leave()
    if not stage.has_ended:
        stage.advance(200)
    stage.settle()
    assert stage.has_ended and stage.error is None, stage.error
    assert stage.client_end.is_closed and all(each.end.is_closed for each in stage.server.connections)
    assert all(spool.is_closed for spool in stage.spools)
    assert not stage.sweeper.wires
    _check_2xx_is_the_servers_own(stage)
    journal = stage.journal
    assert journal.events[0][0] is MailEvent.SESSION_OPENED
    assert journal.events[-1][0] is MailEvent.SESSION_CLOSED
    assert len(journal.of(MailEvent.SESSION_CLOSED)) == 1
    for event, first in ((MailEvent.MESSAGE_REJECTED, "5"), (MailEvent.MESSAGE_DEFERRED, "4")):
        assert {str(facts["reply"])[0] for facts in journal.of(event)} <= {first}
    assert set(Counter(str(facts["trace"]) for facts in journal.of(*ENDS)).values()) <= {1}


def _check_2xx_is_the_servers_own(stage: Stage) -> None:
    """After each 354 the next reply is for a message: a 2xx only as the server has said it."""
    replies = replies_in(stage.heard)
    after_354 = [after for before, after in pairwise(replies) if before[:3] == b"354"]
    accepted = [reply for reply in after_354 if reply[:1] == b"2"]
    assert all(reply in stage.server.said for reply in accepted)
    assert len(accepted) <= len(stage.server.messages)
    assert len(accepted) == len(stage.journal.of(MailEvent.MESSAGE_DELIVERED)) or not accepted


STEPS = range(len(DIALOGUE))
NAMES = [f"{number} {verb}" for number, (verb, _) in enumerate(DIALOGUE)]


def reach(step: int, stage: Stage | None = None) -> Stage:
    """Return a session in which the client has sent all lines before this one."""
    stage = (stage or Stage()).begin()
    for _, line in DIALOGUE[:step]:
        assert stage.ask(line)[:1] in b"23"
    return stage


def ends_with(stage: Stage, reason: str) -> bool:
    (closed,) = stage.journal.of(MailEvent.SESSION_CLOSED)
    return str(closed["reason"]).startswith(reason)


def waits_for_scan(promise: Promise) -> Stage:
    stage = reach(5, Stage(verdict=promise, scan=[]))
    stage.ask(DIALOGUE[5][1])
    return stage
