"""What attackers try against the decoy itself: floods, slowness, rubbish, endless bytes, a full spool."""

import contextlib
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.decoy.dialogues.base import Content
from services.decoy.spool.recordings import Recordings
from services.decoy.spool.uploads import Uploads
from tests.decoy.conftest import Begin
from tests.decoy.running import DARK, FTP, HELLO, HTTP, HTTPS, IMAP, MX, POP3, SMTP, Running

pytestmark = pytest.mark.programs


def memory_mb(decoy: Running) -> float:
    text = Path(f"/proc/{decoy.process.pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def test_a_thousand_clients_at_once_are_all_greeted(begin: Begin) -> None:
    decoy = begin("--sessions-per-source", "2000")
    clients = [decoy.client(DARK, FTP) for _ in range(1_000)]
    assert all(client.hear() == b"220 (vsFTPd 3.0.3)\r\n" for client in clients)
    assert memory_mb(decoy) < 250
    for client in clients:
        client.close()
    decoy.wait_for("AttackerDisconnected", 1_000)


def test_one_source_gets_so_many_sessions_and_no_more(begin: Begin) -> None:
    decoy = begin("--sessions-per-source", "3")
    kept = [decoy.client(DARK, FTP) for _ in range(3)]
    assert all(client.hear() for client in kept)
    with contextlib.suppress(ConnectionResetError):
        assert decoy.client(DARK, FTP).hear() == b""
    assert decoy.wait_for("SessionRefused")["server"] == DARK
    kept[0].close()
    decoy.wait_for("AttackerDisconnected")
    assert decoy.client(DARK, FTP).hear()


def test_who_says_nothing_is_hung_up_on(begin: Begin) -> None:
    client = begin("--idle-time", "1s").client(MX, SMTP)
    greeting, farewell = client.hear_all().splitlines()
    assert greeting.startswith(b"220 ")
    assert farewell.startswith(b"421 4.4.2 ")


def test_who_sends_a_byte_now_and_then_is_hung_up_on_in_the_end(begin: Begin) -> None:
    client = begin("--session-time", "2s", "--idle-time", "60s").client(MX, SMTP)
    client.hear()
    begun = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - begun < 30:
            client.say(b"A")
            time.sleep(0.1)
    assert time.monotonic() - begun < 30


def test_endless_bytes_cost_no_memory_and_end(begin: Begin) -> None:
    decoy = begin("--session-size", "8MiB")
    before = memory_mb(decoy)
    for port in (SMTP, HTTP, POP3, IMAP, FTP, HELLO):
        client = decoy.client(MX if port == SMTP else DARK, port)
        with contextlib.suppress(OSError):
            for _ in range(400):
                client.say(b"A" * 65_536)
    decoy.wait_for("AttackerDisconnected", 6)
    assert memory_mb(decoy) - before < 40


def test_who_asks_and_never_reads_is_hung_up_on(decoy: Running) -> None:
    client = decoy.client(DARK, FTP)
    client.sock.settimeout(0.5)
    with contextlib.suppress(OSError):
        for _ in range(2_000):
            client.say(b"FEAT\r\n" * 1_000)
    assert decoy.wait_for("AttackerDisconnected")["reason"]


def test_rubbish_at_every_port_upsets_nothing(decoy: Running) -> None:
    chance = random.Random(7)
    for _ in range(60):
        address, port = chance.choice([(MX, SMTP), (MX, HTTPS), (DARK, HTTP), (DARK, POP3), (DARK, IMAP)])
        client = decoy.client(address, port)
        with contextlib.suppress(OSError):
            client.say(chance.randbytes(chance.randrange(1, 4_000)))
        client.close()
    decoy.wait_for("AttackerDisconnected", 60)
    assert decoy.count("DecoyFailed") + decoy.count("TaskFailed") == 0
    assert decoy.client(DARK, HELLO).hear() == b"dark\r\n"
    assert all(32 <= byte < 127 or byte == 10 for byte in decoy.log.read_bytes())


def test_a_session_byte_by_byte_goes_as_any_other(decoy: Running) -> None:
    client = decoy.client(MX, SMTP)
    client.hear()
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in b"EHLO x\r\n":
        client.say(bytes([byte]))
    assert client.hear(b"250 STARTTLS\r\n").startswith(b"250-mx.acme.example\r\n250-PIPELINING")


def test_the_oldest_recordings_make_room(tmp_path: Path) -> None:
    recordings = Recordings(tmp_path, 20_000, 5_000)
    for number in range(20):
        recording = recordings.begin(f"{number:016x}", {})
        recording.add("<", 0.0, b"x" * 1_000)
        recording.flush()
    left = sorted(path.name for path in (tmp_path / "sessions").iterdir())
    assert left == [f"{number:016x}" for number in range(20 - len(left), 20)]
    assert len(left) == 4  # whole blocks count
    assert recordings.lost == 0


def test_uploads_past_the_quota_are_not_kept_and_one_is_kept_once(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path, 5_000)
    first, second = Content("a" * 64, 100, b"x" * 100, True), Content("b" * 64, 100, b"y" * 100, True)
    assert uploads.keep(first)
    assert uploads.keep(first)
    assert not uploads.keep(second)
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == ["a" * 64]
    assert not Uploads(tmp_path, 5_000).keep(second)  # what was there before counts


def test_uploads_of_a_byte_fill_a_quota_by_blocks(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path, 40_960)
    kept = [uploads.keep(Content(f"{number:064x}", 1, b"x", True)) for number in range(20)]
    assert kept == [True] * 10 + [False] * 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 kB that all of a decoy's files are on."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(tmp_path)], check=True)
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.mark.lab
def test_a_full_disk_stops_nothing_and_is_told_when_there_is_room(small_disk: Path, begin: Begin) -> None:
    decoy = begin()
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4_096)
    begun, sessions = time.monotonic(), 0
    while sessions < 50 or time.monotonic() - begun < 1:  # long enough for the journal to try
        sessions += 1
        client = decoy.client(DARK, FTP)
        assert client.hear() == b"220 (vsFTPd 3.0.3)\r\n"
        assert client.ask(b"USER " + b"x" * 400) == b"331 Please specify the password.\r\n"
        client.close()
    ballast.unlink()
    client = decoy.client(DARK, FTP)
    client.hear()
    client.ask(b"USER again")
    assert decoy.wait_for("LinesLost")["count"] > 10
    assert decoy.wait_for("SpoolFailed")["count"] > 0
    session = decoy.wait_for("CommandEntered")["session"]
    client.close()
    for _ in range(2_400):
        if [event for event in decoy.events("AttackerDisconnected") if event["session"] == session]:
            break
        time.sleep(0.025)
    assert (decoy.spool / "sessions" / session).exists()


def test_a_spool_that_cannot_be_written_stops_nothing(decoy: Running) -> None:
    for name in ("sessions", "uploads"):
        (decoy.spool / name).rmdir()
        (decoy.spool / name).write_text("in the way", encoding="utf-8")
    client = decoy.client(DARK, FTP)
    assert client.hear() == b"220 (vsFTPd 3.0.3)\r\n"
    assert client.ask(b"USER x") == b"331 Please specify the password.\r\n"
    client.close()
    assert decoy.wait_for("AttackerDisconnected")["recorded"] is False
    assert decoy.wait_for("SpoolFailed")["count"] >= 1
