"""The real gateway on loopback, between a client that sends exact bytes and a server that plays its part.

Numbers in brackets are the cases of the matrix in docs/smtp-matrix.md.
"""

import socket
import threading
import time

import pytest

from services.base.turned_away import LINES
from tests.mail.conftest import RunningGateway, StartGateway
from tests.mail.scripted import Client, ScriptedServer, hang_up

pytestmark = pytest.mark.programs

MESSAGE = b"Subject: hello\r\nMessage-ID: <1@b.example>\r\n\r\nbody"


def test_a_message_arrives_byte_for_byte_and_the_250_is_the_servers_own(
    client: Client, server: ScriptedServer
) -> None:
    reply = client.message(MESSAGE + b"\r\n..dot\r\n\xe9\xff 8-bit\r\n" + b"x" * 5_000)
    assert reply == "250 2.0.0 queued as 1"
    assert server.messages == [MESSAGE + b"\r\n..dot\r\n\xe9\xff 8-bit\r\n" + b"x" * 5_000 + b"\r\n"]


def test_a_gateway_that_is_not_transparent_speaks_under_its_own_address(
    client: Client, server: ScriptedServer
) -> None:
    client.message(MESSAGE)
    assert [address for address, _ in server.clients] == ["127.0.0.1"]


def test_one_trace_id_leads_from_the_message_to_the_servers_answer(
    client: Client, gateway: RunningGateway
) -> None:
    client.message(MESSAGE)
    received, delivered = gateway.wait_for("MessageReceived"), gateway.wait_for("MessageDelivered")
    assert received["trace"] == delivered["trace"]
    assert (received["sender"], received["message_id"]) == ("a@b.example", "<1@b.example>")
    assert delivered["reply"] == "250 2.0.0 queued as 1"


def test_the_envelope_travels_as_the_client_wrote_it(client: Client, server: ScriptedServer) -> None:
    client.hello()
    client.ask(b"mail from: <A@B.example> size=100")
    client.ask(b"RCPT TO:<@relay.example:c@acme.example> NOTIFY=NEVER")
    assert server.commands[1:] == [
        "mail from: <A@B.example> size=100",
        "RCPT TO:<@relay.example:c@acme.example> NOTIFY=NEVER",
    ]


def test_the_end_of_data_across_two_segments_is_seen(client: Client, server: ScriptedServer) -> None:
    client.envelope()
    client.ask(b"DATA")
    for piece in (b"a\r", b"\n.", b"\r"):
        client.send(piece)
        time.sleep(0.05)
    client.send(b"\n")
    assert client.reply()[:3] == "250"
    assert server.messages == [b"a\r\n"]


def test_an_empty_message_is_a_message(client: Client, server: ScriptedServer) -> None:
    client.envelope()
    client.ask(b"DATA")
    assert client.ask(b".")[:3] == "250"
    assert server.messages == [b""]


@pytest.mark.parametrize(
    "almost", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\r\n.\r\r\n"]
)
def test_smuggling_is_refused_after_the_true_end(
    client: Client, server: ScriptedServer, almost: bytes
) -> None:
    smuggled = b"a" + almost + b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<c@acme.example>\r\nDATA\r\nevil"
    reply = client.message(smuggled)
    assert reply.startswith("550 5.6.11 ")
    assert server.messages == []
    assert "MAIL FROM:<evil@x.example>" not in server.commands
    assert client.ask(b"NOOP")[:3] == "250"  # in step, not inside the data (3)


def test_lone_newlines_are_normalized_where_the_tenant_wants_it(
    start_gateway: StartGateway, server: ScriptedServer
) -> None:
    client = start_gateway(server.port, bare_newlines="normalize").client()
    assert client.message(b"a\nb\r\n.\nc")[:3] == "250"
    assert server.messages == [b"a\r\nb\r\n\r\nc\r\n"]


def test_a_nul_is_refused_or_passed_as_the_tenant_wants(
    start_gateway: StartGateway, server: ScriptedServer
) -> None:
    assert start_gateway(server.port).client().message(b"a\0b").startswith("550 5.6.0 ")
    assert start_gateway(server.port, nul_bytes="pass").client().message(b"a\0b")[:3] == "250"
    assert server.messages == [b"a\0b\r\n"]


@pytest.mark.parametrize("line", [b"NOOP\n", b"NO\0OP\r\n", b"RSET\rNOOP\r\n", b"x" * 4_000 + b"\r\n"])
def test_a_malformed_command_is_refused_and_never_forwarded(
    client: Client, server: ScriptedServer, line: bytes
) -> None:
    client.hello()
    client.send(line)
    assert client.reply()[:3] == "500"
    assert client.ask(b"NOOP")[:3] == "250"
    assert server.commands == ["EHLO client.example"]


def test_a_client_that_only_errs_is_hung_up_on(client: Client, gateway: RunningGateway) -> None:
    client.hello()
    client.send(b"WHAT\r\n" * 30)
    replies = [client.reply() for _ in range(22)]
    assert replies[-2].startswith("421 ") and replies[-1] == ""
    assert gateway.wait_for("ProtocolViolated")["reason"] == "too many errors"


def test_a_client_that_only_chatters_is_hung_up_on(client: Client) -> None:
    client.hello()
    client.send(b"NOOP\r\n" * 150)
    assert [client.reply()[:3] for _ in range(101)][-1] == "421"


def test_the_offer_is_the_servers_less_what_the_gateway_cannot_do(
    client: Client, server: ScriptedServer
) -> None:
    server.script["EHLO"] = (
        b"250-mx\r\n250-CHUNKING\r\n250-AUTH PLAIN\r\n250-PIPELINING\r\n250-XCLIENT A\r\n250 8BITMIME\r\n"
    )
    client.reply()
    assert client.ask(b"EHLO c.example").split("\n") == [
        "250-mx",
        "250-PIPELINING",
        "250-8BITMIME",
        "250 STARTTLS",
    ]


def test_bdat_is_never_read_as_commands(client: Client, server: ScriptedServer) -> None:
    client.envelope()
    client.send(b"BDAT 30 LAST\r\nRCPT TO:<evil@acme.example>\r\n")
    assert client.reply()[:3] == "502"
    assert client.is_closed()
    assert "RCPT TO:<evil@acme.example>" not in server.commands


def test_a_declared_size_past_the_limit_is_refused_at_mail(client: Client, server: ScriptedServer) -> None:
    client.hello()
    assert client.ask(b"MAIL FROM:<a@b.example> SIZE=60000").startswith("552 5.3.4 ")
    assert len(server.commands) == 1


def test_a_message_larger_than_declared_is_refused_at_its_end(client: Client, server: ScriptedServer) -> None:
    assert client.message(b"x" * 60_000).startswith("552 5.3.4 ")
    assert server.messages == []
    assert client.ask(b"NOOP")[:3] == "250"


def test_a_message_far_past_the_limit_is_not_read_to_its_end(client: Client) -> None:
    client.envelope()
    client.ask(b"DATA")
    try:
        for _ in range(100):
            client.send(b"x" * 65_536)
        reply = client.reply()
    except (ConnectionError, TimeoutError):
        reply = ""
    assert reply == "" or reply.startswith("552 ")


def test_pipelined_commands_are_answered_in_order(client: Client, server: ScriptedServer) -> None:
    server.script["RCPT"] = lambda connection: connection.sendall(
        b"250 ok\r\n" if "good" in server.commands[-1] else b"550 5.1.1 unknown\r\n"
    )
    client.hello()
    client.send(
        b"MAIL FROM:<a@b.example>\r\nRCPT TO:<bad@acme.example>\r\nRCPT TO:<good@acme.example>\r\nDATA\r\n"
    )
    assert [client.reply()[:3] for _ in range(4)] == ["250", "550", "250", "354"]
    assert client.ask(b"body\r\n.")[:3] == "250"


def test_data_after_every_recipient_was_refused_stays_in_command_state(
    client: Client, server: ScriptedServer
) -> None:
    server.script["RCPT"] = b"550 5.1.1 unknown\r\n"
    client.hello()
    client.send(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<bad@acme.example>\r\nDATA\r\n")
    assert [client.reply()[:3] for _ in range(3)] == ["250", "550", "503"]
    assert client.ask(b"RSET")[:3] == "250"


def test_message_bytes_without_354_end_the_session(client: Client, gateway: RunningGateway) -> None:
    client.hello()
    client.ask(b"DATA")
    client.send(b"Subject: I did not listen\r\n")
    assert client.reply()[:3] == "554"
    assert client.is_closed()
    assert gateway.wait_for("ProtocolViolated")["reason"] == "message bytes without 354"


def test_a_client_that_speaks_before_354_is_out_of_step(client: Client, gateway: RunningGateway) -> None:
    client.envelope()
    client.send(b"DATA\r\nSubject: too early\r\n")
    assert client.reply()[:3] == "554"
    assert client.is_closed()


def test_a_client_that_speaks_before_the_greeting_is_out_of_step(
    gateway: RunningGateway, server: ScriptedServer
) -> None:
    has_spoken = threading.Event()

    def greet_late(connection: socket.socket) -> None:
        has_spoken.wait(30)
        time.sleep(0.3)
        connection.sendall(b"220 mx\r\n")

    server.script["BANNER"] = greet_late
    client = gateway.client()
    client.send(b"EHLO early.example\r\n")
    has_spoken.set()
    assert client.reply()[:3] == "554"
    assert client.is_closed()


def test_plaintext_behind_starttls_is_thrown_away(
    client: Client, server: ScriptedServer, gateway: RunningGateway
) -> None:
    client.hello()
    client.send(b"STARTTLS\r\nMAIL FROM:<injected@x.example>\r\n")
    assert client.is_closed()
    assert server.commands == ["EHLO client.example"]
    assert gateway.wait_for("ProtocolViolated")["reason"] == "plaintext after STARTTLS"


def test_after_starttls_everything_begins_again(client: Client, server: ScriptedServer) -> None:
    client.hello()
    client.encrypt()
    assert client.ask(b"MAIL FROM:<a@b.example>")[:3] == "503"
    assert "STARTTLS" not in client.ask(b"EHLO client.example")
    assert client.ask(b"STARTTLS")[:3] == "503"
    assert client.ask(b"MAIL FROM:<a@b.example>")[:3] == "250"
    assert client.ask(b"RCPT TO:<c@acme.example>")[:3] == "250"
    assert client.ask(b"DATA")[:3] == "354"
    assert client.ask(MESSAGE + b"\r\n.")[:3] == "250"
    assert server.messages == [MESSAGE + b"\r\n"]


def test_starttls_is_refused_with_an_argument_or_inside_a_transaction(client: Client) -> None:
    client.envelope()
    assert client.ask(b"STARTTLS now")[:3] == "501"
    assert client.ask(b"STARTTLS")[:3] == "503"


def test_a_tenant_may_require_encryption(start_gateway: StartGateway, server: ScriptedServer) -> None:
    client = start_gateway(server.port, tls={"clients": "require"}).client()
    client.hello()
    assert client.ask(b"MAIL FROM:<a@b.example>").startswith("530 5.7.0 ")


def test_a_tenant_that_requires_encryption_to_its_server_gets_nothing_in_clear(
    start_gateway: StartGateway, server: ScriptedServer
) -> None:
    client = start_gateway(server.port, tls={"server": "require"}).client()
    client.reply()
    assert client.ask(b"EHLO client.example").startswith("451 4.7.5 ")
    assert server.messages == []


def test_auth_is_neither_offered_nor_taken(client: Client, server: ScriptedServer) -> None:
    client.hello()
    assert client.ask(b"AUTH PLAIN AGEAYg==")[:3] == "502"
    assert server.commands == ["EHLO client.example"]


def test_a_control_character_never_reaches_the_server(client: Client, server: ScriptedServer) -> None:
    client.hello()
    assert client.ask(b"MAIL FROM:<a\x1b]0;x\x07@b.example>")[:3] == "501"
    assert server.commands == ["EHLO client.example"]


# the server's part (37-46)


@pytest.mark.parametrize(
    ("verb", "step"),
    [
        ("MAIL", b"450 4.7.1 greylisted\r\n"),
        ("RCPT", b"550-5.1.1 no\r\n550 5.1.1 such user\r\n"),
        ("DATA", b"452 4.3.1 full\r\n"),
        ("DOT", b"554 5.7.1 our own filter\r\n"),
    ],
)
def test_the_servers_refusal_reaches_the_client_word_for_word(
    client: Client, server: ScriptedServer, verb: str, step: bytes
) -> None:
    server.script[verb] = step
    client.hello()
    said = [client.ask(b"MAIL FROM:<a@b.example>"), client.ask(b"RCPT TO:<c@acme.example>")]
    if verb in ("DATA", "DOT"):
        client.ask(b"DATA")
        said.append(client.ask(MESSAGE + b"\r\n."))
    assert step.decode().rstrip("\r\n").replace("\r\n", "\n") in said
    assert server.messages == ([MESSAGE + b"\r\n"] if verb == "DOT" else [])


@pytest.mark.parametrize("banner", [b"554 5.7.1 go away\r\n", b"421 4.3.2 closing\r\n"])
def test_the_servers_refusal_to_talk_is_passed_on(
    gateway: RunningGateway, server: ScriptedServer, banner: bytes
) -> None:
    server.script["BANNER"] = banner
    client = gateway.client()
    assert client.reply() == banner.decode().strip()
    assert client.is_closed()


def test_a_server_that_knows_no_ehlo_is_greeted_with_helo(client: Client, server: ScriptedServer) -> None:
    server.script["EHLO"] = b"500 what?\r\n"
    client.hello()
    assert server.commands == ["EHLO client.example", "HELO client.example"]


def test_a_server_that_is_down_means_try_again(start_gateway: StartGateway, server: ScriptedServer) -> None:
    server.close()
    time.sleep(0.05)
    client = start_gateway(server.port).client()
    client.hello()
    assert client.ask(b"MAIL FROM:<a@b.example>").startswith("451 4.4.1 ")


@pytest.mark.parametrize("verb", ["BANNER", "EHLO", "MAIL", "RCPT", "DATA", "DOT"])
def test_a_server_that_dies_at_any_word_means_try_again(
    gateway: RunningGateway, server: ScriptedServer, verb: str
) -> None:
    server.script[verb] = hang_up
    client = gateway.client()
    said = [client.reply()]
    for line in (
        b"EHLO c.example",
        b"MAIL FROM:<a@b.example>",
        b"RCPT TO:<c@acme.example>",
        b"DATA",
        MESSAGE + b"\r\n.",
    ):
        try:
            said.append(client.ask(line))
        except OSError:
            break
        if said[-1][:1] not in ("2", "3"):
            break
    assert any(reply.startswith("4") for reply in said)
    assert not any(reply.startswith("5") or "queued" in reply for reply in said)


def test_a_server_that_dies_after_the_dot_leaves_the_delivery_in_doubt(
    client: Client, server: ScriptedServer, gateway: RunningGateway
) -> None:
    server.script["DOT"] = hang_up
    assert client.message(MESSAGE).startswith("451 4.4.2 ")
    doubt = gateway.wait_for("DeliveryInDoubt")
    assert doubt["message_id"] == "<1@b.example>" and len(doubt["sha256"]) == 64


def test_a_server_that_closed_while_we_waited_is_asked_again(client: Client, server: ScriptedServer) -> None:
    def die_once(connection: socket.socket) -> None:
        server.script["RCPT"] = b"250 ok\r\n"
        connection.sendall(b"250 ok\r\n")
        time.sleep(0.1)
        hang_up(connection)

    server.script["RCPT"] = die_once
    client.envelope()
    client.ask(b"DATA")
    time.sleep(0.3)
    assert client.ask(MESSAGE + b"\r\n.") == "250 2.0.0 queued as 1"
    assert server.connections == 2
    assert server.messages == [MESSAGE + b"\r\n"]


def test_a_server_that_changed_its_mind_in_between_means_try_again(
    client: Client, server: ScriptedServer
) -> None:
    def die_and_change(connection: socket.socket) -> None:
        server.script["RCPT"] = b"550 5.1.1 no more\r\n"
        connection.sendall(b"250 ok\r\n")
        time.sleep(0.1)
        hang_up(connection)

    server.script["RCPT"] = die_and_change
    client.envelope()
    client.ask(b"DATA")
    time.sleep(0.3)
    assert client.ask(MESSAGE + b"\r\n.").startswith("451 4.4.2 ")
    assert server.messages == []


@pytest.mark.parametrize(
    "nonsense", [b"hello?\r\n", b"250-a\r\n550 b\r\n", b"354 go\r\n", b"250-x\r\n" * 700, b"250 a\nb\r\n"]
)
def test_an_answer_that_makes_no_sense_means_try_again(
    client: Client, server: ScriptedServer, nonsense: bytes
) -> None:
    server.script["MAIL"] = nonsense
    client.hello()
    assert client.ask(b"MAIL FROM:<a@b.example>").startswith("451 4.5.0 ")


def test_a_server_that_speaks_unasked_is_not_believed(client: Client, server: ScriptedServer) -> None:
    server.script["MAIL"] = b"250 ok\r\n250 and the next one too\r\n"
    client.hello()
    assert client.ask(b"MAIL FROM:<a@b.example>")[:3] == "250"
    assert client.ask(b"RCPT TO:<c@acme.example>").startswith("451 4.5.0 ")


def test_rset_is_mirrored_and_a_second_message_follows(client: Client, server: ScriptedServer) -> None:
    client.envelope()
    assert client.ask(b"RSET")[:3] == "250"
    assert "RSET" in server.commands
    client.ask(b"MAIL FROM:<d@b.example>")
    client.ask(b"RCPT TO:<c@acme.example>")
    client.ask(b"DATA")
    assert client.ask(MESSAGE + b"\r\n.")[:3] == "250"


def test_a_client_that_leaves_inside_the_message_delivers_nothing(
    client: Client, server: ScriptedServer, gateway: RunningGateway
) -> None:
    client.envelope()
    client.ask(b"DATA")
    client.send(MESSAGE)
    client.close()
    assert gateway.wait_for("SessionClosed")["reason"] == "client went away"
    assert server.messages == []
    assert "DATA" not in server.commands


def test_every_client_has_its_own_connection_to_the_server(
    gateway: RunningGateway, server: ScriptedServer
) -> None:
    clients = [gateway.client(f"127.0.2.{number}") for number in range(1, 6)]
    for one in clients:
        one.hello()
    assert len({port for _, port in server.clients}) == 5


# the gateway's own part


def test_a_message_that_goes_round_in_circles_is_stopped(client: Client) -> None:
    header = b"".join(b"Received: from x by y; now\r\n" for _ in range(101))
    assert client.message(header + b"\r\nbody").startswith("554 5.4.6 ")


def test_too_many_sessions_of_one_client_are_shed_with_421(
    start_gateway: StartGateway, server: ScriptedServer
) -> None:
    gateway = start_gateway(server.port, "--sessions-per-client", "2")
    first, second = gateway.client(), gateway.client()
    first.hello()
    second.hello()
    assert gateway.client().reply().startswith("421 4.7.0 ")
    gateway.client("127.0.2.6").hello()


def test_a_flood_of_clients_without_a_session_does_not_fill_the_journal(
    start_gateway: StartGateway, server: ScriptedServer
) -> None:
    gateway = start_gateway(server.port, "--sessions-per-client", "1")
    gateway.client().hello()
    for _ in range(LINES + 40):
        assert gateway.client().reply().startswith("421 4.7.0 ")
    gateway.process.terminate()
    gateway.wait_for("GatewayStopped")
    written, counted = len(gateway.events("SessionRefused")), gateway.events("SessionsShed")
    assert written < LINES + 40
    assert written + sum(each["count"] for each in counted) == LINES + 40


def limited(gateway: RunningGateway, limits: dict[str, int]) -> None:
    """Give gateways limits; return when it is taken up."""
    gateway.settings["limits"] = limits
    gateway.write_settings(gateway.settings)
    gateway.wait_for("SettingsLoaded", 2)


def test_a_client_counts_until_its_connection_is_gone(
    start_gateway: StartGateway, server: ScriptedServer
) -> None:
    gateway = start_gateway(server.port, "--sessions-per-client", "1")
    first = gateway.client()
    first.hello()
    first.encrypt()
    assert first.ask(b"QUIT")[:3] == "221"
    gateway.wait_for("SessionClosed")
    assert gateway.client().reply()[:9] == "421 4.7.0"
    first.close()
    for _ in range(100):
        if gateway.client().reply()[:3] == "220":
            return
        time.sleep(0.05)
    raise AssertionError("the connection is gone, and still counts")


def test_a_gateway_at_its_limit_sheds_with_421_before_the_server_hears_of_it(
    gateway: RunningGateway, server: ScriptedServer
) -> None:
    limited(gateway, {"g1": 2, "g2": 1})
    held = [gateway.client(), gateway.client()]
    for client in held:
        client.hello()
    shed = gateway.client("127.0.2.6")
    assert shed.reply().startswith("421 4.3.2 too many concurrent sessions")
    assert shed.is_closed()
    assert server.connections == 2
    held[0].ask(b"QUIT")
    gateway.wait_for("SessionClosed")
    gateway.client("127.0.2.6").hello()


def test_a_gateway_without_a_limit_of_its_own_has_that_of_its_start(
    start_gateway: StartGateway, server: ScriptedServer
) -> None:
    gateway = start_gateway(server.port, "--sessions", "1")
    limited(gateway, {"g1": 5})
    gateway.client().hello()
    assert gateway.client("127.0.2.6").reply().startswith("421 4.3.2 ")


def test_a_full_gateway_still_tells_its_agent_that_it_lives(gateway: RunningGateway) -> None:
    limited(gateway, {"g1": 1})
    gateway.client().hello()
    agent = Client(gateway.port, "127.0.0.1", "127.0.0.1")
    assert agent.reply().startswith("220 ")
    agent.close()


def test_new_settings_are_taken_up_and_open_sessions_keep_the_old(
    client: Client, gateway: RunningGateway, server: ScriptedServer
) -> None:
    client.hello()
    gateway.settings["revision"] = 2
    gateway.settings["tenants"][0]["tls"] = {"clients": "require"}
    gateway.write_settings(gateway.settings)
    gateway.wait_for("SettingsLoaded", count=2)
    assert client.ask(b"MAIL FROM:<a@b.example>")[:3] == "250"
    newcomer = gateway.client()
    newcomer.hello()
    assert newcomer.ask(b"MAIL FROM:<a@b.example>")[:3] == "530"


def test_bad_settings_change_nothing_and_are_named(gateway: RunningGateway) -> None:
    gateway.settings["tenants"][0]["servers"] = ["nowhere"]
    gateway.write_settings(gateway.settings)
    assert "tenants[0].servers" in gateway.wait_for("SettingsRefused")["reason"]
    gateway.client().hello()


def test_settings_of_a_newer_format_are_named_and_the_last_good_ones_kept(gateway: RunningGateway) -> None:
    gateway.write_settings({**gateway.settings, "format": 2, "tenants": []})
    assert "format: is 2, this program reads 1" in str(gateway.wait_for("SettingsRefused"))
    gateway.client().hello()


def test_keys_of_a_newer_controller_are_ignored_and_named(gateway: RunningGateway) -> None:
    gateway.settings["tenants"][0]["greylist"] = True
    gateway.write_settings({**gateway.settings, "revision": 2})
    loaded = gateway.wait_for("SettingsLoaded", count=2)
    assert (loaded["revision"], loaded["unknown_keys"]) == (2, ["tenants[0].greylist"])
    gateway.client().hello()


def test_a_terminal_escape_of_a_client_stays_data_in_the_journal(
    client: Client, gateway: RunningGateway
) -> None:
    client.hello()
    client.ask(b"MAIL FROM:<" + "\u202eé".encode() + b"@b.example>")
    client.ask(b"QUIT")
    gateway.wait_for("SessionClosed")
    assert gateway.log.read_bytes().isascii()


def test_a_full_disk_means_try_again(start_gateway: StartGateway, server: ScriptedServer) -> None:
    server.script["EHLO"] = b"250 mx\r\n"
    gateway = start_gateway(server.port, message_limit_bytes=5_000_000)
    (gateway.settings_file.parent / "state").rename(gateway.settings_file.parent / "gone")
    client = gateway.client()
    assert client.message(b"x" * 400_000).startswith("452 4.3.1 ")
    assert server.messages == []


# one reply for a message, whoever it is for


def test_recipients_whom_the_server_refuses_are_refused_at_once_and_the_others_get_the_message(
    gateway: RunningGateway, server: ScriptedServer
) -> None:
    client = gateway.client()
    client.hello()
    client.ask(b"MAIL FROM:<a@b.example>")
    assert client.ask(b"RCPT TO:<good@acme.example>")[:3] == "250"
    server.script["RCPT"] = b"550 5.1.1 no such user\r\n"
    assert client.ask(b"RCPT TO:<bad@acme.example>") == "550 5.1.1 no such user"
    assert client.ask(b"DATA")[:3] == "354"
    assert client.ask(b"Subject: s\r\n\r\nb\r\n.")[:3] == "250"
    assert gateway.wait_for("MessageReceived")["recipients"] == ["good@acme.example"]


def test_a_client_that_is_gone_when_the_server_has_the_message_is_noted(
    gateway: RunningGateway, server: ScriptedServer
) -> None:
    """It will send the message again: a duplicate that nobody can prevent, but anybody can find."""
    left = threading.Event()

    def answer_late(connection: socket.socket) -> None:
        assert left.wait(10)
        connection.sendall(b"250 2.0.0 queued\r\n")

    server.script["DOT"] = answer_late
    client = gateway.client()
    client.envelope()
    client.ask(b"DATA")
    client.send(b"Subject: s\r\n\r\nb\r\n.\r\n")
    for _ in range(2_400):
        if server.messages:
            break
        time.sleep(0.025)
    client.close()
    time.sleep(0.2)  # nothing tells that the gateway has seen the connection end
    left.set()
    assert gateway.wait_for("MessageDelivered")["client_was_gone"] is True


def test_a_server_lost_at_data_that_then_answers_otherwise_gets_the_client_one_reply(
    client: Client, server: ScriptedServer
) -> None:
    def die_and_change(connection: socket.socket) -> None:
        server.script["RCPT"] = b"550 5.1.1 no more\r\n"
        hang_up(connection)

    server.script["DATA"] = die_and_change
    assert client.message(MESSAGE).startswith("451 4.4.2 ")
    assert client.ask(b"NOOP")[:3] == "250"


def test_a_gateway_that_is_stopped_says_so_to_sessions_that_wait_for_either_side(
    gateway: RunningGateway, server: ScriptedServer
) -> None:
    idle, waiting = gateway.client(), gateway.client()
    idle.hello()
    server.script["MAIL"] = None
    waiting.hello()
    waiting.send(b"MAIL FROM:<a@b.example>\r\n")
    gateway.process.terminate()
    assert [client.reply()[:9] for client in (idle, waiting)] == ["421 4.3.2"] * 2
    assert gateway.wait_for("GatewayStopped")["sessions_ended"] == 2
    assert {event["reason"] for event in gateway.events("SessionClosed")} == {"the gateway was stopped"}


def test_a_client_that_closes_its_sending_side_hears_the_rest(client: Client, server: ScriptedServer) -> None:
    client.envelope()
    client.ask(b"DATA")
    client.send(MESSAGE + b"\r\n.\r\nQUIT\r\n")
    client.finish()
    assert (client.reply(), client.reply()) == ("250 2.0.0 queued as 1", "221 bye")
    assert client.is_closed()
