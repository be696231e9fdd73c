"""The neighbourhood: programs at the controller's ports, and users that must read the checkout."""

import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.doctor.finding import Finding
from controller.doctor.system import AS_ROOT, content_of, output_of

_REPOSITORY = Path(__file__).parents[2]
_OPENFLOW_PORT, _API_PORT = 6653, 9057
_CONTROLLER = re.compile(r"apps/edge\.py|/postern-controller\b")


@dataclass(frozen=True, slots=True)
class Listener:
    """A program that listens at a TCP port. Empty texts and 0 mean that only root can see it."""

    port: int
    pid: int = 0
    command: str = ""
    directory: str = ""


@dataclass(frozen=True, slots=True)
class NeighbourFacts:
    homes: tuple[str, ...]  # this checkout, and its environment of Python
    listeners: tuple[Listener, ...]
    private: tuple[
        str, ...
    ]  # directories on the way to the checkout that only their owner may enter; not root's


def look() -> NeighbourFacts:
    found = (_listener(port) for port in (_OPENFLOW_PORT, _API_PORT))
    return NeighbourFacts(
        homes=(str(_REPOSITORY), sys.prefix),
        listeners=tuple(each for each in found if each is not None),
        private=tuple(
            str(each)
            for each in (*reversed(_REPOSITORY.parents), _REPOSITORY)
            if is_private((facts := each.stat()).st_mode, facts.st_uid)
        ),
    )


def _listener(port: int) -> Listener | None:
    listening = output_of("ss", "-Hltnp", f"sport = :{port}")
    if not listening:
        return None
    found = re.search(r"pid=(\d+)", listening)
    if not found:
        return Listener(port)
    process = Path("/proc", found[1])
    command = (content_of(process / "cmdline") or "").replace("\0", " ").strip()
    try:
        directory = os.readlink(process / "cwd")
    except OSError:
        directory = ""
    return Listener(port, int(found[1]), command, directory)


def is_private(mode: int, owner: int) -> bool:
    """Return whether a directory is closed even to root, if systemd takes root's capabilities away."""
    return owner != 0 and not mode & stat.S_IXOTH


def judge(facts: NeighbourFacts) -> Iterator[Finding]:
    by_port = {each.port: each for each in facts.listeners}
    for port in (_OPENFLOW_PORT, _API_PORT):
        yield _judge_port(port, by_port.get(port), facts.homes)
    yield _judge_checkout(facts)


def _judge_port(port: int, listener: Listener | None, homes: tuple[str, ...]) -> Finding:
    subject = f"port {port}"
    if listener is None:
        return Finding(subject, "is free")
    if not listener.pid:
        return Finding(subject, f"is in use; only root can see the program: {AS_ROOT}")
    if not _CONTROLLER.search(listener.command):
        return _judge_stranger(port, f"process {listener.pid}, {listener.command:.60}")
    if listener.directory in homes or any(f"{home}/" in listener.command for home in homes):
        return Finding(subject, "this checkout's controller listens here")
    return Finding(
        subject,
        f"the controller of another checkout listens here: process {listener.pid} in {listener.directory}",
        "take that lab down (run make lab-down there), or stop its controller",
        "a lab or a controller of this checkout: only one can run at a time",
    )


def _judge_stranger(port: int, who: str) -> Finding:
    subject, fact = f"port {port}", f"is in use by {who}"
    if port == _OPENFLOW_PORT:
        options = f"--ofp-listen-host 127.0.0.1 --ofp-tcp-listen-port {port + 1}"
        remedy = f"stop it, or: ryu-manager {options} apps/edge.py"
        return Finding(subject, f"{fact}: a lab or a controller cannot start", remedy)
    remedy = f"POSTERN_LISTEN=127.0.0.1:{port + 1}, or POSTERN_LISTEN=off"
    lost = "the API over TCP, for bouncers and members on other hosts; its unix socket works"
    return Finding(subject, fact, remedy, lost)


def _judge_checkout(facts: NeighbourFacts) -> Finding:
    if not facts.private:
        return Finding("checkout", "all users that need it can read it")
    return Finding(
        "checkout",
        f"only the owner may enter {', '.join(facts.private)}",
        "to use systemd, put the checkout elsewhere, such as /opt/postern",
        "the systemd units, which may not enter this directory; the lab and the demo work",
    )
