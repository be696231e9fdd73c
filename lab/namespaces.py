"""Network namespaces: kept by a file, entered by a thread or a command, searched for processes.

A pin is a bind mount of `/proc/PID/ns/net`. As long as it exists, the namespace
keeps its number, so a process found in it is a process of that host, even
after the program that made the host has died.
"""

import ctypes
import os
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import names

_CLONE_NEWNET = 0x4000_0000  # linux/sched.h
_MNT_DETACH = 2  # linux/mount.h
_MS_BIND = 4096
_libc = ctypes.CDLL(None, use_errno=True)


def _call(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def pin(pid: int, file: Path) -> None:
    """Keep the network namespace of a process at `file`. Raise `OSError` if the process has gone."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    _call(_libc.mount(f"/proc/{pid}/ns/net".encode(), bytes(file), None, _MS_BIND, None), f"pin {file}")


def unpin(file: Path) -> None:
    """Release a namespace, and remove the file. Do nothing if there is no pin."""
    while is_pinned(file):
        _call(_libc.umount2(bytes(file), _MNT_DETACH), f"unpin {file}")
    file.unlink(missing_ok=True)


def is_pinned(file: Path) -> bool:
    """Return whether a file keeps a namespace now (nsfs, not a plain file)."""
    try:
        return file.stat().st_dev == os.stat("/proc/self/ns/net").st_dev
    except OSError:
        return False


@contextmanager
def inside(file: Path) -> Iterator[None]:
    """Put the calling thread, and no other, into a pinned namespace for a while."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        there = os.open(file, os.O_RDONLY)
        try:
            _call(_libc.setns(there, _CLONE_NEWNET), f"enter {file}")
        finally:
            os.close(there)
        try:
            yield
        finally:
            _call(_libc.setns(home, _CLONE_NEWNET), "leave a namespace")
    finally:
        os.close(home)


def socket_inside(file: Path, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """Return a socket that belongs to a pinned namespace, regardless of which thread uses it later."""
    with inside(file):
        return socket.socket(family, kind, protocol)


def processes_inside(files: Iterable[Path]) -> set[int]:
    """Return the ids of all processes in pinned namespaces; never one in this process's own namespace."""
    wanted = {file.stat().st_ino for file in files if is_pinned(file)}
    wanted.discard(os.stat("/proc/self/ns/net").st_ino)
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.stat(f"/proc/{entry}/ns/net").st_ino in wanted:
                    found.add(int(entry))
            except OSError:
                continue  # ended meanwhile
    return found


def entering(file: Path, command: Iterable[str]) -> list[str]:
    """Return the command that runs `command` on the host of a pin: it replaces itself, so the pid stays."""
    named = names.knowing(file.name, file.parents[1] / "names", command)  # as `LabPaths` has them
    return ["nsenter", f"--net={file}", "--", *named]


def run_inside(file: Path, command: Iterable[str], timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
    """Run a command in a pinned namespace and return what it said. Raise `subprocess.TimeoutExpired`."""
    return subprocess.run(
        entering(file, command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout_s,
    )
