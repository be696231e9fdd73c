"""The connection to Open vSwitch's database: pieces, garbage, silence. The real server is in tests/ovs."""

import json
import socket
from collections.abc import Iterator

import pytest

from apps import switch_database
from apps.switch_database import _messages, leads_here
from controller.drift.ovsdb import OvsdbError

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The database's end, and ours."""
    server, client = socket.socketpair()
    client.settimeout(0.2)
    with server, client:
        yield server, client


def read(client: socket.socket, count: int) -> list[object]:
    found: list[object] = []
    for messages in _messages(client):
        found += messages
        if len(found) >= count:
            break
    return found


@pytest.mark.parametrize("size", [1, 2, 7, 10_000])
def test_messages_are_read_however_they_are_split(ends: Ends, size: int) -> None:
    server, client = ends
    sent = [{"id": 0, "result": {"name": "größe } {"}}, {"method": "echo", "params": []}, {"id": None}]
    raw = "".join(map(json.dumps, sent)).encode() + b" \n" + json.dumps("ü}", ensure_ascii=False).encode()
    raw += b"{}"
    for start in range(0, len(raw), size):
        server.sendall(raw[start : start + size])
    assert read(client, 5) == [*sent, "ü}", {}]


@pytest.mark.parametrize("garbage", [b"x" * 200, b"{" * 200, b"]}" * 100, b"\xff" * 200])
def test_what_is_not_json_ends_the_connection(
    ends: Ends, garbage: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch_database, "_LONGEST_MESSAGE", 100)
    server, client = ends
    server.sendall(garbage)
    with pytest.raises(OvsdbError, match="too long, or is not JSON"):
        read(client, 1)


def test_json_that_is_nested_without_end_ends_the_connection(ends: Ends) -> None:
    server, client = ends
    server.sendall(b"[" * 100_000 + b"}")
    with pytest.raises(OvsdbError):
        read(client, 1)


def test_a_silent_database_is_asked_once_and_then_given_up(ends: Ends) -> None:
    server, client = ends
    with pytest.raises(OvsdbError, match="does not answer"):
        read(client, 1)
    assert json.loads(server.recv(1_000)) == {"method": "echo", "params": [], "id": "echo"}


def test_a_closed_connection_is_reported(ends: Ends) -> None:
    server, client = ends
    server.close()
    with pytest.raises(OvsdbError, match="closed the connection"):
        read(client, 1)


@pytest.mark.parametrize(
    ("target", "host", "is_own"),
    [
        ("tcp:127.0.0.1:6653", "127.0.0.1", True),
        ("tcp:127.0.0.1:6653", "", True),
        ("tcp:[::1]:6653", "::1", True),
        ("tcp:127.0.0.1:6653", "0.0.0.0", True),
        ("tcp:127.0.0.1:6654", "", False),
        ("tcp:192.0.2.1:6653", "", False),
        ("tcp:127.0.0.2:6653", "127.0.0.1", False),
        ("ssl:127.0.0.1:6653", "", False),
        ("ptcp:6653", "", False),
        ("tcp:6653", "", False),
        ("unix:/run/x.sock", "", False),
        ("tcp:\0:6653", "", False),
        ("tcp:a name.example:6653", "", False),
        ("", "", False),
    ],
)
def test_only_a_target_at_which_this_controller_listens_is_its_own(
    target: str, host: str, is_own: bool
) -> None:
    assert leads_here(target, host, 6653) is is_own
