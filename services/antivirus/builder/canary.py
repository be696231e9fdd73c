"""The canary: a real clamd that tests a generation before any client gets it.

It loads exactly the directory that would be published. It must detect every known
sample and the generation's marker, and must detect nothing in clean files.
"""

import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from common.apparmor import unconfined
from services.antivirus.builder.corpus import Corpus
from services.antivirus.formats import marker_name

_LOADS_WITHIN_S = 300.0
_SCANS_WITHIN_S = 120.0
_ENDS_WITHIN_S = 10.0
_STEP_S = 0.02
_LONGEST_ANSWER = 64 * 1024
_CHUNK = 128 * 1024
_FOUND = re.compile(r"^(?P<where>.*): (?P<name>\S+) FOUND$")
_CONFIGURATION = """\
LocalSocket {home}/socket
DatabaseDirectory {database}
Foreground yes
OfficialDatabaseOnly no
AllowAllMatchScan yes
MaxThreads 2
ReadTimeout 120
CommandReadTimeout 30
StreamMaxLength 128M
AlertExceedsMax no
SelfCheck 86400
ExitOnOOM yes
"""


class Refused(Exception):
    """The canary rejects a generation; the text says why."""


@dataclass(frozen=True, slots=True)
class CanaryReport:
    """The report of a canary that accepts a generation. Time in seconds, memory in MiB."""

    loaded_s: float
    memory_mib: int
    clean_files: int
    samples: int


def try_out(
    database: Path, generation: int, marker: str, corpus: Corpus, more: Mapping[str, bytes]
) -> CanaryReport:
    """Test a generation. `more`: further samples by the name of their signature. Raise `Refused`."""
    began = time.monotonic()
    with _clamd(database) as (process, control):
        loaded_s = time.monotonic() - began
        samples = {**corpus.samples(), **more}
        for name, sample in samples.items():
            _expect(control, sample, name)
        _expect_marker(control, marker, generation)
        count = 0
        for count, path in enumerate(corpus.files(), start=1):  # noqa: B007
            if found := _findings(_ask(control, _all_in(path))):
                raise Refused(f"{path} is clean, but is reported as {found[0]}")
        return CanaryReport(round(loaded_s, 3), _memory_mib(process.pid), count, len(samples))


@contextmanager
def _clamd(database: Path) -> "Iterator[tuple[subprocess.Popen[bytes], Path]]":
    # The path of a unix socket is limited to about 100 characters.
    with tempfile.TemporaryDirectory(prefix="postern-canary-") as directory:
        home = Path(directory)
        configuration = home / "clamd.conf"
        configuration.write_text(_CONFIGURATION.format(home=home, database=database), encoding="utf-8")
        command = ["clamd", f"--config-file={configuration}"]
        with (home / "log").open("wb") as log:
            try:
                process = subprocess.Popen(
                    # clamd ends when this process ends, even if it is killed.
                    ["setpriv", "--pdeathsig=KILL", *unconfined(command)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            except OSError as error:
                raise Refused(f"the canary cannot run: clamd cannot be started: {error}") from error
            try:
                _await_ready(process, home)
                yield process, home / "socket"
            finally:
                _end(process)


def _await_ready(process: "subprocess.Popen[bytes]", home: Path) -> None:
    deadline = time.monotonic() + _LOADS_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = (home / "log").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise Refused(
                f"clamd cannot load the signatures: {said[-1] if said else f'exit code {process.returncode}'}"
            )
        with suppress(OSError):
            if _ask(home / "socket", b"zPING\0") == ["PONG"]:
                _check_log(home / "log")
                return
        time.sleep(_STEP_S)
    raise Refused(f"clamd did not load the signatures within {_LOADS_WITHIN_S:.0f} s")


def _check_log(log: Path) -> None:
    """Raise `Refused` if clamd skipped something: it leaves out what it cannot read, and continues."""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if "Error" in line or "ERROR" in line:
            raise Refused(f"clamd skipped a signature: {line.strip()[:200]}")


def _expect_marker(control: Path, marker: str, generation: int) -> None:
    """Each of our files must detect the marker: the hashes, the patterns and the rules."""
    file = control.with_name("marker")
    file.write_bytes(marker.encode())
    found = {each.removesuffix(".UNOFFICIAL") for each in _findings(_ask(control, _all_in(file)))}
    name = marker_name(generation)
    for wanted in (f"{name}.Hash", name, f"YARA.{name.replace('.', '_')}"):
        if wanted not in found:
            raise Refused(f"the marker is not detected as {wanted}")


def _all_in(path: Path) -> bytes:
    return f"zALLMATCHSCAN {path}\0".encode()


def _expect(control: Path, sample: bytes, name: str) -> None:
    pieces = [sample[at : at + _CHUNK] for at in range(0, len(sample), _CHUNK)]
    stream = b"".join(len(piece).to_bytes(4) + piece for piece in pieces)
    found = _findings(_ask(control, b"zINSTREAM\0" + stream + bytes(4)))
    wanted = (name, name.replace(".", "_"))
    if not any(each.removesuffix(".UNOFFICIAL").removeprefix("YARA.") in wanted for each in found):
        raise Refused(f"{name} is not detected{f' (but {found[0]})' if found else ''}")


def _findings(lines: list[str]) -> list[str]:
    """Return the names that were found. Raise `Refused` for an invalid answer."""
    found = []
    for line in lines:
        if match := _FOUND.fullmatch(line):
            found.append(match["name"].partition("(")[0])
        elif not line.endswith((": OK", ": Empty file")):
            raise Refused(f"clamd answers {line[:200]!r}")
    return found


def _ask(control: Path, request: bytes) -> list[str]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_SCANS_WITHIN_S)
        connection.connect(str(control))
        with suppress(BrokenPipeError):  # clamd may answer before it has read everything
            connection.sendall(request)
        answer = b""
        while len(answer) < _LONGEST_ANSWER and (more := connection.recv(4096)):
            answer += more
    return [line for line in answer.decode(errors="replace").split("\0") if line]


def _memory_mib(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) // 1024
    return 0


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
