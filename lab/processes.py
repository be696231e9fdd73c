"""Processes that the lab started: identified by id and start time, never by name.

Every process of a lab carries the lab's owner mark in its environment, or lives
in one of the lab's namespaces, so that a crash between a start and its record
leaves nothing behind.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

OWNER_VARIABLE = "POSTERN_LAB_OWNER"
_POLL_S = 0.02
_DEAD_WITHIN_S = 4.0  # a killed process lives on for a moment, and may still take a connection
# The environment of the lab's programs, independent of the caller's; only these variables are passed on.
# Tests have the programs of a lab check their journals.
_PASSED_ON = ("POSTERN_COWRIE_VENV", "POSTERN_LAB_DIR", "POSTERN_CHECK_JOURNAL")
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
    "PYTHONDONTWRITEBYTECODE": "1",
}
_UMASK = 0o022  # servers of the lab leave root behind, and must read what we write


@dataclass(frozen=True, slots=True)
class Process:
    """`started` is the kernel's start time in ticks since boot: ids are reused, this pair is not."""

    pid: int
    started: int

    @property
    def is_alive(self) -> bool:
        return _facts(self.pid) == (self.started, True)


def _facts(pid: int) -> tuple[int, bool]:
    """Return (start time, whether it still runs) of a process; (0, False) if there is none. proc(5)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return (0, False)
    fields = text.rpartition(")")[2].split()
    return (int(fields[19]), fields[0] not in "ZX")


def parent(pid: int) -> int:
    """Return the id of a process's parent, 0 if there is no such process."""
    try:
        return int(
            Path(f"/proc/{pid}/stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()[1]
        )
    except OSError:
        return 0


def identify(pid: int) -> Process:
    return Process(pid, _facts(pid)[0])


def start(command: Sequence[str], log: Path, environment: Mapping[str, str], directory: Path) -> Process:
    """Start a process in a session of its own, with its output appended to `log`. Raise `OSError`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env={**surroundings(), **environment},
            umask=_UMASK,
            start_new_session=True,
        )
    _children[child.pid] = child
    return identify(child.pid)


def surroundings() -> dict[str, str]:
    """Return the environment for everything that the lab starts, independent of the caller's own."""
    return _ENVIRONMENT | {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


_children: dict[int, subprocess.Popen[bytes]] = {}  # kept so that ended children of this process are reaped


def reap() -> None:
    """Collect children that have ended, so that they do not look alive."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)


def carrying(owner: str) -> set[int]:
    """Return the ids of all processes with this owner mark in their environment; none for an empty mark."""
    if not owner:
        return set()
    mark = f"{OWNER_VARIABLE}={owner}".encode()
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                if mark in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    found.add(int(entry))
            except OSError:
                continue
    return found


def end(processes: Iterable[Process], patience_s: float = 4.0) -> None:
    """End processes and their descendants: first by SIGTERM, then by SIGKILL. Return when none is left.

    Descendants too: if only the shell that started Postfix ends, its children go on listening.
    """
    leaders = [process for process in processes if process.is_alive]
    left = _signal([*leaders, *descendants(leaders)], signal.SIGTERM)
    left = _await(left, patience_s)
    left = _signal(left, signal.SIGKILL)
    _await(left, _DEAD_WITHIN_S)


def descendants(leaders: Sequence[Process]) -> list[Process]:
    """Return the children of processes, their children, and so on."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            children.setdefault(parent(int(entry)), []).append(int(entry))
    found: list[int] = []
    generation = [leader.pid for leader in leaders]
    while generation:
        generation = [child for pid in generation for child in children.get(pid, [])]
        found += generation
    return [identify(pid) for pid in found]


def _signal(processes: Iterable[Process], number: int) -> list[Process]:
    left = [process for process in processes if process.is_alive]
    for process in left:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            continue
    return left


def _await(processes: list[Process], patience_s: float) -> list[Process]:
    deadline = time.monotonic() + patience_s
    while processes and time.monotonic() < deadline:
        reap()
        processes = [process for process in processes if process.is_alive]
        if processes:
            time.sleep(_POLL_S)
    return processes
