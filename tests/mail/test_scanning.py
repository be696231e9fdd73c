"""Messages and a real clamd: found, clean, encrypted, too much, away."""

import io
import zipfile
from base64 import encodebytes
from typing import Any

import pytest

from tests.mail.conftest import EICAR, StartGateway, free_port
from tests.mail.scripted import ScriptedServer

pytestmark = pytest.mark.programs

HEAD = (
    b"Subject: s\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n"
)


def attached(content: bytes) -> bytes:
    return HEAD + encodebytes(content).replace(b"\n", b"\r\n").rstrip()


def archive_of(count: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.txt", f"content {number}")
    return file.getvalue()


def encrypted_archive() -> bytes:
    """Return a zip whose one member says that it is encrypted."""
    content = bytearray(archive_of(1))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    return bytes(content)


def test_malware_is_refused_by_name_and_the_server_never_sees_data(
    start_gateway: StartGateway, server: ScriptedServer, clamd: dict[str, Any]
) -> None:
    gateway = start_gateway(server.port, scan=[], scanners=[clamd])
    reply = gateway.client().message(attached(EICAR))
    assert reply.startswith("550 5.7.1 malware found: Postern.Test.Eicar")
    assert gateway.wait_for("MessageRejected")["trace"] in reply
    assert server.messages == []
    assert "DATA" not in server.commands


def test_clean_mail_is_delivered_after_a_scan(
    start_gateway: StartGateway, server: ScriptedServer, clamd: dict[str, Any]
) -> None:
    gateway = start_gateway(server.port, scan=[], scanners=[clamd])
    assert gateway.client().message(attached(b"harmless"))[:3] == "250"
    assert gateway.wait_for("MessageScanned")["verdict"] == "clean"


def test_a_large_message_is_scanned_whole(
    start_gateway: StartGateway, server: ScriptedServer, clamd: dict[str, Any]
) -> None:
    server.script["EHLO"] = b"250 mx\r\n"
    gateway = start_gateway(server.port, scan=[], scanners=[clamd], message_limit_bytes=5_000_000)
    padding = (b"x" * 70 + b"\r\n") * 15_000
    assert gateway.client().message(b"Subject: s\r\n\r\n" + padding + EICAR).startswith("550 5.7.1 ")


def test_malware_behind_a_stuffed_dot_is_found(
    start_gateway: StartGateway, server: ScriptedServer, clamd: dict[str, Any]
) -> None:
    gateway = start_gateway(server.port, scan=[], scanners=[clamd])
    assert gateway.client().message(b"Subject: s\r\n\r\n..\r\n" + EICAR).startswith("550 5.7.1 ")


def test_an_encrypted_archive_is_passed_with_a_tag_that_says_so(
    start_gateway: StartGateway, server: ScriptedServer, clamd: dict[str, Any]
) -> None:
    gateway = start_gateway(server.port, scan=[], scanners=[clamd])
    message = attached(encrypted_archive())
    assert gateway.client().message(message)[:3] == "250"
    trace = gateway.wait_for("MessageDelivered")["trace"]
    tag = f"X-Postern-Scan: not-scanned reason=encrypted; trace={trace}\r\n".encode()
    assert server.messages == [tag + message + b"\r\n"]


def test_an_archive_past_the_scanners_limits_is_refused(
    start_gateway: StartGateway, server: ScriptedServer, clamd: dict[str, Any]
) -> None:
    gateway = start_gateway(server.port, scan=[], scanners=[clamd])
    assert (
        gateway.client().message(attached(archive_of(200))).startswith("550 5.7.1 content rejected (limits)")
    )
    assert server.messages == []


def test_without_a_scanner_mail_is_deferred(start_gateway: StartGateway, server: ScriptedServer) -> None:
    gateway = start_gateway(server.port, scan=[], scanners=[{"host": "127.0.0.1", "port": free_port()}])
    assert gateway.client().message(attached(b"x")).startswith("451 4.7.1 ")
    assert server.messages == []


def test_without_a_scanner_a_tenant_may_have_mail_tagged(
    start_gateway: StartGateway, server: ScriptedServer
) -> None:
    away = [{"host": "127.0.0.1", "port": free_port()}]
    gateway = start_gateway(server.port, scan=[], scanners=away, on_verdict={"unavailable": "pass-tagged"})
    assert gateway.client().message(attached(b"x"))[:3] == "250"
    assert server.messages[0].startswith(b"X-Postern-Scan: not-scanned reason=unavailable; ")


def test_the_second_scanner_is_asked_when_the_first_is_away(
    start_gateway: StartGateway, server: ScriptedServer, clamd: dict[str, Any]
) -> None:
    gateway = start_gateway(
        server.port, scan=[], scanners=[{"host": "127.0.0.1", "port": free_port()}, clamd]
    )
    assert gateway.client().message(attached(EICAR)).startswith("550 5.7.1 ")


def test_the_same_malware_again_is_known_without_a_scan(
    start_gateway: StartGateway, server: ScriptedServer, clamd: dict[str, Any]
) -> None:
    gateway = start_gateway(server.port, scan=[], scanners=[clamd])
    for _ in range(2):
        assert gateway.client().message(attached(EICAR)).startswith("550 5.7.1 ")
    gateway.wait_for("MessageScanned", 2)
    assert [event["was_cached"] for event in gateway.events("MessageScanned")] == [False, True]


def test_a_scanner_scans_what_a_rule_would_skip(
    start_gateway: StartGateway, server: ScriptedServer, clamd: dict[str, Any]
) -> None:
    gateway = start_gateway(server.port, scan=[{"action": "skip"}], scanners=[clamd])
    gateway.settings["role"] = "scanner"
    gateway.write_settings(gateway.settings)
    gateway.wait_for("SettingsLoaded", count=2)
    assert gateway.client().message(attached(EICAR)).startswith("550 5.7.1 ")
