"""The journal outlives a full disk, and goes to a syslog server too."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.decoy.journal import DecoyJournal, Event
from services.decoy.syslog import Syslog, SyslogError
from tests.mail.conftest import ROOT

# A file may hold 4,096 bytes, as if the disk were full then; later there is room again.
_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from services.decoy.journal import DecoyJournal, Event
journal = DecoyJournal(Path(sys.argv[1]), "decoy1")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
for number in range(100):
    journal.write(Event.COMMAND, text="x" * 200, number=number)
assert journal.lost > 0
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.write(Event.COMMAND, text="again")
assert journal.lost == 0
"""


def test_lines_that_a_full_disk_refused_are_told_when_there_is_room_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    subprocess.run([sys.executable, "-c", _ON_A_FULL_DISK, str(log)], cwd=ROOT, check=True, timeout=60)
    lines, torn = [], 0
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            torn += 1
    written = [event for event in lines if "number" in event]
    (lost,) = [event for event in lines if event["event"] == "LinesLost"]
    assert torn <= 1
    assert len(written) + lost["count"] == 100
    assert lines[-1]["text"] == "again"


def test_a_device_without_room_never_raises() -> None:
    journal = DecoyJournal(Path("/dev/full"), "decoy1")
    for _ in range(10):
        journal.write(Event.COMMAND, text="x")
    assert journal.lost >= 10


def test_lines_go_to_a_syslog_server_as_rfc_5424_has_it(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        syslog = Syslog(f"udp:127.0.0.1:{server.getsockname()[1]}", "decoy1")
        DecoyJournal(tmp_path / "log", "decoy1", syslog.ship).write(Event.LOGIN, user="a\nb")
        said = server.recv(10_000).decode()
        syslog.close()
    head, _, body = said.partition(" - - ")
    assert head.startswith("<134>1 20")
    assert head.endswith(" postern-decoy decoy1")
    assert json.loads(body)["user"] == "a\nb"
    assert "\n" not in said


def test_a_syslog_server_that_is_away_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    syslog = Syslog(f"unix:{tmp_path}/nobody", "decoy1")
    DecoyJournal(tmp_path / "log", "decoy1", syslog.ship).write(Event.LOGIN, user="x")
    assert syslog.lost == 1
    syslog.close()


@pytest.mark.parametrize("place", ["", "tcp:127.0.0.1:514", "udp:nowhere:514", "udp:127.0.0.1:0", "unix:"])
def test_a_place_that_is_none_is_refused_with_a_remedy(place: str) -> None:
    with pytest.raises(SyslogError, match="remedy"):
        Syslog(place, "x")
