"""The journal outlives a full disk, and goes to a syslog server too."""

import asyncio
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.journal.events import COMMON_FIELDS, JournalEvent
from common.journal.journal import Journal
from common.journal.line import encode
from services.base.journal import BatchedJournal, open_journal
from services.decoy.journal import DecoyEvent
from services.decoy.syslog import Syslog, SyslogError
from services.mail.events import MailEvent
from tests.journals import Pages, read_journal
from tests.mail.conftest import ROOT

# A file may hold 4,096 bytes, as if the disk were full then; later there is room again.
_ON_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from common.journal.events import COMMON_FIELDS, JournalEvent
from common.journal.journal import Journal
from common.journal.line import encode
from hypothesis import given
from hypothesis import strategies as st
from services.base.journal import BatchedJournal, open_journal
from services.mail.events import MailEvent
from tests.journals import Pages, read_journal
from services.decoy.journal import DecoyEvent
journal = open_journal(Path(sys.argv[1]), "postern-decoy", "decoy1")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
for number in range(100):
    journal.write(DecoyEvent.SPOOL_FAILED, reason="x" * 200, count=number)
assert journal.lost > 0
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.write(DecoyEvent.PORT_FILTER_MISSING, reason="again", remedy="")
assert journal.lost == 0
"""


# In the controller, eventlet replaces functions of `os`.
_UNDER_EVENTLET = """
import sys, warnings
warnings.simplefilter("ignore")
import eventlet
eventlet.monkey_patch()
from common.journal.journal import Journal
from common.journal.sink import FileSink
from services.decoy.journal import DecoyEvent
journal = Journal(FileSink(None), "postern-controller", "controller")
for number in range(3):
    eventlet.spawn(journal.write, DecoyEvent.SPOOL_FAILED, reason="x", count=number)
eventlet.sleep(0)
print(journal.lost, file=sys.stderr)
"""


@pytest.mark.programs
@pytest.mark.parametrize(("device", "lost"), [("/dev/null", 0), ("/dev/full", 3)])
def test_the_controllers_journal_can_go_to_a_device(device: str, lost: int) -> None:
    with Path(device).open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-c", _UNDER_EVENTLET],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=60,
        )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, str(lost))


def test_lines_that_a_full_disk_refused_are_told_when_there_is_room_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    subprocess.run([sys.executable, "-c", _ON_A_FULL_DISK, str(log)], cwd=ROOT, check=True, timeout=60)
    lines, torn = [], 0
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            torn += 1
    written = [event for event in lines if event["event"] == "SpoolFailed"]
    (lost,) = [event for event in lines if event["event"] == "LinesLost"]
    assert torn <= 1
    assert len(written) + lost["count"] == 100
    assert lines[-1]["reason"] == "again"


def test_a_device_without_room_never_raises() -> None:
    journal = open_journal(Path("/dev/full"), "postern-decoy", "decoy1")
    for _ in range(10):
        journal.write(DecoyEvent.SPOOL_FAILED, reason="x", count=1)
    assert journal.lost >= 10


def test_lines_go_to_a_syslog_server_as_rfc_5424_has_it(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        syslog = Syslog(f"udp:127.0.0.1:{server.getsockname()[1]}", "decoy1")
        open_journal(tmp_path / "log", "postern-decoy", "decoy1", syslog.ship).write(
            DecoyEvent.SPOOL_FAILED, count=1, reason="a\nb"
        )
        said = server.recv(10_000).decode()
        syslog.close()
    head, _, body = said.partition(" - - ")
    assert head.startswith("<131>1 20")
    assert head.endswith(" postern-decoy decoy1")
    assert json.loads(body)["reason"] == "a\nb"
    assert "\n" not in said


def test_a_syslog_server_that_is_away_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    syslog = Syslog(f"unix:{tmp_path}/nobody", "decoy1")
    open_journal(tmp_path / "log", "postern-decoy", "decoy1", syslog.ship).write(
        DecoyEvent.SPOOL_FAILED, count=1, reason="x"
    )
    assert syslog.lost == 1
    syslog.close()


@pytest.mark.parametrize("place", ["", "tcp:127.0.0.1:514", "udp:nowhere:514", "udp:127.0.0.1:0", "unix:"])
def test_a_place_that_is_none_is_refused_with_a_remedy(place: str) -> None:
    with pytest.raises(SyslogError, match="remedy"):
        Syslog(place, "x")


class FilledSometimes(Pages):
    """A disk that takes at most `room` bytes at once, or refuses."""

    room = 1_000_000

    def put(self, data: bytes) -> int:
        if not self.room:
            raise OSError("no space left on device")
        return super().put(data[: self.room])


def test_a_line_begins_with_time_severity_event_program_and_instance() -> None:
    pages = Pages()
    Journal(pages, "postern-x", "x1").write(JournalEvent.LINES_LOST, count=2)
    line = json.loads(pages.text)
    assert tuple(line) == (*COMMON_FIELDS, "count")
    assert {**line, "time": ""} == {
        "time": "",
        "severity": "error",
        "event": "LinesLost",
        "program": "postern-x",
        "instance": "x1",
        "count": 2,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["time"])


def test_lines_are_counted_while_the_disk_refuses_and_reported_first() -> None:
    disk = FilledSometimes()
    journal = Journal(disk, "postern-x", "x1")
    disk.room = 0
    for _ in range(3):
        journal.write(DecoyEvent.SPOOL_FAILED, count=1, reason="x")
    assert journal.lost == 3
    disk.room = 1_000_000
    journal.write(DecoyEvent.SPOOL_FAILED, count=4, reason="x")
    assert [(each["event"], each["count"]) for each in map(json.loads, disk.text.splitlines())] == [
        ("LinesLost", 3),
        ("SpoolFailed", 4),
    ]
    assert journal.lost == 0


def test_a_torn_line_does_not_spoil_the_next_one() -> None:
    disk = FilledSometimes()
    journal = Journal(disk, "postern-x", "x1")
    disk.room = 10
    journal.write(DecoyEvent.SPOOL_FAILED, count=1, reason="x")
    disk.room = 1_000_000
    journal.write(DecoyEvent.SPOOL_FAILED, count=2, reason="x")
    torn, lost, last = disk.text.splitlines()
    assert len(torn) == 10
    assert (json.loads(lost)["count"], json.loads(last)["count"]) == (1, 2)


@given(st.text(), st.lists(st.text(), max_size=150))
def test_any_text_becomes_one_line_of_ascii_that_says_it_again(one: str, many: list[str]) -> None:
    encoded = "{" + encode({"one": one, "many": many}) + "}"
    assert encoded.isascii()
    assert encoded.isprintable()
    assert json.loads(encoded) == {"one": one, "many": many[:100]}


def test_long_text_is_cut() -> None:
    found = json.loads("{" + encode({"one": "x" * 3_000, "many": ["y" * 3_000]}) + "}")
    assert found == {"one": "x" * 2_000 + "...", "many": ["y" * 500 + "..."]}


def test_a_journal_goes_on_in_a_new_file_after_a_log_rotation(tmp_path: Path) -> None:
    log = tmp_path / "log"
    journal = open_journal(log, "postern-x", "x1")
    journal.write(DecoyEvent.SPOOL_FAILED, count=1, reason="x")
    log.rename(tmp_path / "old")
    journal.reopen()
    journal.write(DecoyEvent.SPOOL_FAILED, count=2, reason="x")
    assert [len(read_journal(each)) for each in (tmp_path / "old", log)] == [1, 1]


def test_lines_of_a_running_loop_are_written_together_and_an_urgent_one_at_once() -> None:
    pages = Pages()

    async def story() -> tuple[str, str]:
        journal = BatchedJournal(pages, "postern-x", "x1")
        journal.write(DecoyEvent.SPOOL_FAILED, count=1, reason="x")
        before = pages.text
        journal.write(MailEvent.GATEWAY_STOPPED, sessions_ended=0)
        return before, pages.text

    before, after = asyncio.run(story())
    assert before == ""
    assert after.count("\n") == 2
