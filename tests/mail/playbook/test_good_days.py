"""Whole sessions in memory where nothing goes wrong, with their bytes split in every way."""

from collections.abc import Callable, Iterable

from services.mail.events import MailEvent
from tests.mail.playbook.memory import MemoryTransport
from tests.mail.playbook.sender import MESSAGE, Sender
from tests.mail.playbook.stage import EHLO_WITH_TLS, ServerScript, Stage

PARTS = (
    b"EHLO client.example\r\n",
    b"MAIL FROM:<a@b.example> SIZE=100\r\nRCPT TO:<c@acme.example>\r\nRCPT TO:<d@acme.example>\r\nDATA\r\n",
    MESSAGE + b"\r\n.\r\nRSET\r\nMAIL FROM:<e@b.example>\r\nRCPT TO:<c@acme.example>\r\nDATA\r\n",
    b".\r\nNOOP\r\nQUIT\r\n",
)
Cut = Callable[[bytes], Iterable[bytes]]


def play(cut_client: Cut, cut_server: Cut) -> tuple[bytes, bytes, list[tuple[MailEvent, dict[str, object]]]]:
    """Send all parts, cut; return what the client heard, what the server heard, and the journal."""
    stage = Stage(ServerScript(cut=cut_server)).begin()
    for part in PARTS:
        for piece in cut_client(part):
            stage.send(piece)
    assert stage.has_ended and stage.error is None
    return stage.heard, stage.server.heard, stage.journal.events


def whole(data: bytes) -> Iterable[bytes]:
    return (data,) if data else ()


def byte_by_byte(data: bytes) -> Iterable[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


def cut_at(place: int) -> Cut:
    """Cut a stream of bytes once, at this place."""
    passed = 0

    def cut(data: bytes) -> Iterable[bytes]:
        nonlocal passed
        at, passed = place - passed, passed + len(data)
        return filter(None, (data[:at], data[at:])) if 0 < at < len(data) else whole(data)

    return cut


EXPECTED = play(whole, whole)


def test_two_messages_of_one_session_arrive_byte_for_byte() -> None:
    stage = Stage().begin()
    for part in PARTS:
        stage.send(part)
    assert stage.server.messages == [MESSAGE + b"\r\n", b""]
    assert stage.heard.count(b"250 2.0.0 queued as 1\r\n") == 2
    assert [facts["messages"] for facts in stage.journal.of(MailEvent.SESSION_CLOSED)] == [2]


def test_a_cut_anywhere_in_what_the_client_sends_changes_nothing() -> None:
    places = range(1, len(b"".join(PARTS)))
    assert [place for place in places if play(cut_at(place), whole) != EXPECTED] == []


def test_a_client_that_sends_byte_by_byte_gets_the_same() -> None:
    assert play(byte_by_byte, whole) == EXPECTED


def test_a_server_that_sends_byte_by_byte_gets_the_same() -> None:
    assert play(whole, byte_by_byte) == EXPECTED


def test_a_cut_anywhere_in_what_the_server_sends_changes_nothing() -> None:
    places = range(1, len(EXPECTED[0]))
    assert [place for place in places if play(whole, cut_at(place)) != EXPECTED] == []


def test_replies_of_one_turn_travel_together() -> None:
    stage = Stage().begin()
    written: list[bytes] = []
    stage.client.transport = MemoryTransport(stage.turns, stage.client, written.append)
    stage.send(b"NOOP\r\nVRFY a\r\nHELP\r\n")
    assert [data.count(b"\r\n") for data in written] == [3]


def test_encryption_on_both_legs_is_negotiated_and_noted() -> None:
    stage = Stage(ServerScript(ehlo=EHLO_WITH_TLS)).begin()
    assert stage.ask(b"EHLO client.example").endswith(b"250-8BITMIME\r\n250 STARTTLS\r\n")
    assert stage.server.connections[0].is_encrypted
    assert stage.ask(b"STARTTLS").startswith(b"220 ")
    assert stage.ask(b"MAIL FROM:<a@b.example>").startswith(b"503 ")
    assert stage.ask(b"EHLO client.example").endswith(b"250 8BITMIME\r\n")
    assert stage.ask(b"STARTTLS").startswith(b"503 ")
    for line in (b"MAIL FROM:<a@b.example>", b"RCPT TO:<c@acme.example>", b"DATA", MESSAGE + b"\r\n."):
        assert stage.ask(line)[:1] in b"23"
    (received,) = stage.journal.of(MailEvent.MESSAGE_RECEIVED)
    assert (received["client_tls"], received["server_tls"]) == (True, True)
    assert stage.journal.of(MailEvent.SESSION_ENCRYPTED) == [{"cipher": "TLSv1.3 TLS_AES_256_GCM_SHA384"}]


def test_a_sender_hears_the_servers_own_words() -> None:
    sender = Sender(Stage()).run()
    assert sender.replies["MESSAGE"] == b"250 2.0.0 queued as 1\r\n"
    assert sender.replies["QUIT"] == b"221 bye\r\n"
