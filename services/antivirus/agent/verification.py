"""Proves that signatures work: a scan finds the marker of their generation."""

import re
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from services.antivirus.formats import marker_name

_SCANS_WITHIN_S = 120.0
_LIVE_WITHIN_S = 120.0
_ANSWERS_WITHIN_S = 10.0
_STEP_S = 0.05
_LARGEST_ANSWER = 4_096
_POOLS = re.compile(r"pools_total (\d+(?:\.\d+)?)M")
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB", re.MULTILINE)
_GROWTH = 1.25  # a new generation may be larger than the one loaded in clamd
_MEMORY = Path("/proc/meminfo")
_ENGINE = re.compile(r"ClamAV \d+\.\d+[^\r\n]{0,80}")


class NotProven(Exception):
    """Signatures do not load, or do not detect what they must; the text says why."""


def prove_files(database: Path, marker: str, generation: int) -> None:
    """Let `clamscan` load a directory and find the marker. Raise `NotProven`."""
    with tempfile.NamedTemporaryFile(prefix="postern-av-marker-") as file:
        file.write(marker.encode())
        file.flush()
        try:
            done = subprocess.run(
                ["clamscan", "--no-summary", "--stdout", f"--database={database}", file.name],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_SCANS_WITHIN_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotProven(f"clamscan cannot be run: {error}; remedy: apt-get install clamav") from error
    if not _names(done.stdout, generation):
        said = " ".join((done.stderr + done.stdout).split())[:300]
        raise NotProven(f"clamscan does not find the marker of generation {generation}: {said}")


class Clamd:
    """A clamd, at HOST:PORT or at the path of its socket."""

    def __init__(self, where: str) -> None:
        self._where = where

    def use(self, marker: str, generation: int) -> None:
        """Make clamd reload its signatures; return when it finds the marker. Raise `NotProven`."""
        deadline = time.monotonic() + _LIVE_WITHIN_S
        self._ask(b"zRELOAD\0")
        stream = len(marker).to_bytes(4) + marker.encode() + bytes(4)
        while time.monotonic() < deadline:
            if _names(self._ask(b"zINSTREAM\0" + stream), generation):
                return
            time.sleep(_STEP_S)
        raise NotProven(f"clamd does not use generation {generation} after {_LIVE_WITHIN_S:.0f} s")

    def check_room(self, memory: Path = _MEMORY) -> None:
        """Raise `NotProven` if there is not enough memory for two generations at once, as a reload needs.

        Otherwise clamd could be killed, or lose its signatures, during operation.
        """
        try:
            available = _AVAILABLE.search(memory.read_text(encoding="utf-8"))
        except OSError:
            return
        used = _POOLS.search(self._ask(b"zSTATS\0"))
        if not used or not available:
            return
        needed_mib, free_mib = float(used[1]) * _GROWTH, int(available[1]) / 1024
        if free_mib < needed_mib:
            raise NotProven(
                f"clamd needs {needed_mib:.0f} MiB more to load new signatures beside the current ones, "
                f"but only {free_mib:.0f} MiB are free; remedy: give this host more memory"
            )

    def version(self) -> str:
        return self._ask(b"zVERSION\0")

    def _ask(self, request: bytes) -> str:
        try:
            with self._connect() as connection:
                connection.settimeout(_ANSWERS_WITHIN_S)
                connection.sendall(request)
                answer = b""
                while len(answer) < _LARGEST_ANSWER and (more := connection.recv(_LARGEST_ANSWER)):
                    answer += more
        except OSError as error:
            raise NotProven(f"clamd at {self._where}: {error}") from error
        return answer.rstrip(b"\0").decode(errors="replace")

    def _connect(self) -> socket.socket:
        if self._where.startswith("/"):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(_ANSWERS_WITHIN_S)
            connection.connect(self._where)
            return connection
        host, _, port = self._where.rpartition(":")
        # Like the health agent: this address tells these scans from those of mail in clamd's log.
        local = ("127.0.0.2", 0) if host == "127.0.0.1" else None
        return socket.create_connection(
            (host.strip("[]"), int(port)), _ANSWERS_WITHIN_S, source_address=local
        )


def engine_version(clamd: Clamd | None) -> str:
    """Return the engine's version string, or an empty text if neither clamd nor clamscan answers."""
    said = ""
    if clamd is not None:
        with suppress(NotProven):
            said = clamd.version()
    if not said:
        with suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(
                ["clamscan", "--version"],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_ANSWERS_WITHIN_S,
                check=False,
            )
            said = done.stdout
    found = _ENGINE.search(said)
    return found[0] if found else ""


def _names(text: str, generation: int) -> bool:
    name = marker_name(generation)
    return f"{name}." in text or f"{name.replace('.', '_')}." in text
