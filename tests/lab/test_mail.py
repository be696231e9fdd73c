"""Real mail through the whole edge: real switch, controller, gateways, clamd and Postfix."""

import pytest

from lab.demo.cases import CASES, Case
from lab.demo.verdicts import complaints
from lab.lab import Lab
from lab.mail import Letter, send
from lab.messages import build
from lab.trace_logs import Reader
from tests.lab.traffic import maildir

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.tenant}: {case.title}")
def test_each_message_of_the_demo_becomes_what_it_must(lab: Lab, reader: Reader, case: Case) -> None:
    message = build(case.content, "someone@sender.example", case.recipient)
    since = reader.bookmark()
    told = send(
        lab.places.pin(case.host),
        Letter("someone@sender.example", case.recipient, case.server, message, case.tls),
    )
    found = reader.find(since, case.mail_host, lambda seen: not complaints(case, told, seen))
    assert complaints(case, told, found) == [], told.transcript


def test_the_mailbox_holds_what_was_sent_byte_for_byte_but_for_trace_headers(
    lab: Lab, reader: Reader
) -> None:
    case = CASES[1]
    message = build(case.content, "someone@sender.example", case.recipient)
    since = reader.bookmark()
    letter = Letter("someone@sender.example", case.recipient, case.server, message, case.tls)
    send(lab.places.pin(case.host), letter)
    reader.find(since, case.mail_host, lambda seen: seen.is_delivered)
    kept = [file.read_bytes() for file in maildir(lab.places, case.mail_host, "bob").iterdir()]
    mine = [text for text in kept if message.message_id.encode() in text]
    assert len(mine) == 1
    # swaks ends what it sends with one more newline.
    assert mine[0].endswith(b"\n\n" + message.data.split(b"\n\n", 1)[1] + b"\n")
    assert message.data in mine[0]
