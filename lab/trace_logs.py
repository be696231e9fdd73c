"""The log lines of a lab about one message: gateways' journals, scanners' logs, mail servers' logs.

Messages are followed one at a time: everything written since the bookmark is about
the message sent since.
"""

import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.policy.model import PoolKind
from lab.component import Scene
from lab.services import gateways, mailservers, scanners

_PATIENCE_S = 5.0
_STEP_S = 0.05
_QUEUED = re.compile(r": ([0-9A-F]{6,}|[0-9A-Za-z]{10,}): client=\S*\[([^]]+)\]")
_CLIENT = re.compile(r"(?:client=|(?<!dis)connect from )\S*?\[([^]]+)\]")
_OF_AGENT = "instream(127.0.0.2@"  # the health agent's, see docs/pools.md
_FINAL = ("MessageDelivered", "MessageRejected", "MessageDeferred", "DeliveryInDoubt")

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bookmark:
    """The size of each log at one moment."""

    size_by_file: dict[Path, int]


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that was written about one message."""

    events: tuple[tuple[str, Event], ...] = ()  # (gateway, event)
    scans: tuple[tuple[str, str], ...] = ()  # (scanner, line of its clamd)
    server_lines: tuple[str, ...] = ()  # the tenant's own mail server
    server_saw: str = ""  # the client's address as that server saw it
    is_delivered: bool = False

    @property
    def gateway(self) -> str:
        return next((name for name, _ in self.events), "")

    @property
    def trace(self) -> str:
        return next((str(event["trace"]) for _, event in self.events if event.get("trace")), "")


class Reader:
    """Reads the logs of one lab."""

    def __init__(self, scene: Scene) -> None:
        pools = [pool for pool in scene.policy.pools]
        members = [member.name for pool in pools for member in pool.members]
        places = scene.places
        self._journals = {name: gateways.journal(places, name) for name in members}
        self._scanner_logs = {
            member.name: scanners.scanner_log(places, member.name)
            for pool in pools
            if pool.kind is PoolKind.SCANNER
            for member in pool.members
        }
        self._server_logs = {
            host.name: mailservers.mail_log(places, host.name)
            for host in scene.network.hosts_with("mail-server")
        }

    def bookmark(self) -> Bookmark:
        logs = [*self._journals.values(), *self._scanner_logs.values(), *self._server_logs.values()]
        return Bookmark({log: log.stat().st_size if log.exists() else 0 for log in logs})

    def find(self, since: Bookmark, server: str, is_settled: Callable[[Found], bool]) -> Found:
        """Return what was written since a bookmark, as soon as it is complete or the time is over."""
        deadline = time.monotonic() + _PATIENCE_S
        while not is_settled(found := self._read(since, server)) and time.monotonic() < deadline:
            time.sleep(_STEP_S)
        return found

    def _read(self, since: Bookmark, server: str) -> Found:
        events = _of_new_sessions(
            [
                (name, json.loads(line))
                for name, log in self._journals.items()
                for line in whole_lines(log, since)
            ]
        )
        scans = tuple(
            (name, line)
            for name, log in self._scanner_logs.items()
            for line in whole_lines(log, since)
            if "instream" in line and _OF_AGENT not in line
        )
        lines = tuple(whole_lines(self._server_logs[server], since))
        queued = next(filter(None, map(_QUEUED.search, lines)), None)
        is_delivered = queued is not None and any(
            queued[1] in line and "status=sent" in line for line in lines
        )
        return Found(events, scans, lines, client_in(lines), is_delivered)


def client_in(lines: Iterable[str]) -> str:
    """Return the first client in a mail server's log. One that leaves is an earlier message's."""
    found = next(filter(None, map(_CLIENT.search, lines)), None)
    return found[1] if found else ""


def _of_new_sessions(events: list[tuple[str, Event]]) -> tuple[tuple[str, Event], ...]:
    """Keep what is about sessions that were opened since the bookmark: journals are written with a delay."""
    opened = {event["session"] for _, event in events if event["event"] == "SessionOpened"}
    return tuple(each for each in events if each[1].get("session") in opened)


def whole_lines(log: Path, since: Bookmark) -> list[str]:
    """Return the whole lines begun in a log since a bookmark, which may be in the middle of one."""
    at = since.size_by_file.get(log, 0)
    try:
        with log.open("rb") as file:
            file.seek(max(0, at - 1))
            if at:
                file.readline()
            whole, newline, _rest = file.read().rpartition(b"\n")
    except OSError:
        return []
    return whole.decode(errors="replace").splitlines() if newline else []


def final_events(found: Found) -> list[Event]:
    return [event for _, event in found.events if event.get("event") in _FINAL]
