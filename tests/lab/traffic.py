"""A load of mail whose every message is followed: what its sender saw each time, and how often it arrived.

Senders behave as mail servers do: what was not accepted is tried again until it is. Half of them are
slow, so that whatever happens, happens in the middle of sessions.
"""

import re
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab import probes
from lab.lab import Lab
from lab.paths import LabPaths

_SERVERS = (("203.0.113.10", "acme"), ("203.0.113.74", "globex"), ("2001:db8:a::10", "acme"))
SENDERS = tuple((*server, pause_s) for server in _SERVERS for pause_s in (0.01, 0.2))
_MARK = re.compile(r"^X-Traffic: (\S+)$", re.MULTILINE)
_RETRY_S = 0.1
_SETTLING_S = 60.0
PATIENCE_S = 10.0  # how long a sender waits for a reply; real ones wait for minutes (RFC 5321, 4.5.3.2)


def maildir(places: LabPaths, host: str, user: str) -> Path:
    """Return where a user's new messages arrive, a file for each."""
    return places.home(f"{host}.postfix") / "mail" / user / "new"


@dataclass(frozen=True, slots=True)
class Failure:
    """One attempt that was not accepted. `is_in_doubt`: the message had been sent completely."""

    message: str
    why: str
    after_s: float
    is_in_doubt: bool = False

    @property
    def is_for_good(self) -> bool:
        return self.why.startswith("5")

    @property
    def is_silence(self) -> bool:
        """Say whether the sender waited for an answer in vain: nobody told him that all is over."""
        return "timed out" in self.why


class _NotAcceptedError(Exception):
    def __init__(self, why: str, is_in_doubt: bool = False) -> None:
        super().__init__(why)
        self.is_in_doubt = is_in_doubt


class _Attempt:
    """One try at one message, over a connection of its own."""

    def __init__(self, connection: socket.socket, tenant: str, pause_s: float) -> None:
        self._connection, self._tenant, self._pause_s = connection, tenant, pause_s
        self._file = connection.makefile("rb")

    def run(self, message: str) -> None:
        with self._file:
            self._hear("220")
            self._say("EHLO sender.example", "250")
            self._say("MAIL FROM:<someone@sender.example>", "250")
            self._say(f"RCPT TO:<alice@{self._tenant}.example>", "250")
            self._say("DATA", "354")
            self._send(f"Subject: traffic\r\nX-Traffic: {message}\r\n\r\n")
            self._send("body\r\n" * 200)
            try:
                self._say(".", "250")
            except OSError as error:
                raise _NotAcceptedError(repr(error), is_in_doubt=True) from error
            self._connection.sendall(b"QUIT\r\n")

    def _say(self, text: str, code: str) -> None:
        self._send(f"{text}\r\n")
        self._hear(code)

    def _send(self, text: str) -> None:
        time.sleep(self._pause_s)
        self._connection.sendall(text.encode())

    def _hear(self, code: str) -> None:
        while (line := self._file.readline().decode())[3:4] == "-":
            continue
        if not line:
            raise ConnectionError("the connection was closed")
        if not line.startswith(code):
            raise _NotAcceptedError(line.strip())


@dataclass
class Traffic:
    lab: Lab
    accepted: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    _tenant_by_message: dict[str, str] = field(default_factory=dict)
    _is_over: threading.Event = field(default_factory=threading.Event)
    _longest_gap_s: float = 0.0
    _last_s: float = 0.0

    @contextmanager
    def going(self) -> Iterator["Traffic"]:
        """Let senders send; at the end each finishes the message that it is at."""
        threads = [
            threading.Thread(target=self._send_on, args=each, name=f"{number}")
            for number, each in enumerate(SENDERS)
        ]
        for thread in threads:
            thread.start()
        try:
            self.await_more(12)
            yield self
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()

    def await_more(self, count: int, patience_s: float = 40) -> float:
        """Return after how many seconds so many more messages had been accepted."""
        begun, wanted = time.monotonic(), len(self.accepted) + count
        while len(self.accepted) < wanted:
            assert time.monotonic() - begun < patience_s, self.failures[-3:]
            time.sleep(0.02)
        return time.monotonic() - begun

    def complaints(self) -> list[str]:
        """Return what no sender, and no recipient, may ever see."""
        said = [f"refused for good: {failure}" for failure in self.failures if failure.is_for_good]
        arrived, doubts = self._await_arrivals(), self._doubts()
        said += [f"accepted and lost: {message}" for message in self.accepted if not arrived[message]]
        said += [
            f"{message} arrived {times} times, and its sender had {doubts[message]} reasons to send it again"
            for message, times in arrived.items()
            if times > 1 + doubts[message]
        ]
        said += [f"never accepted: {each}" for each in self._tenant_by_message.keys() - set(self.accepted)]
        return said

    @property
    def report(self) -> str:
        kinds = Counter(re.sub(r" \[[^]]*\]$", "", failure.why) for failure in self.failures)
        return (
            f"{len(self.accepted)} accepted, longest gap {self._longest_gap_s:.2f} s, "
            f"{sum(self._doubts().values())} in doubt, longest failure "
            f"{max((failure.after_s for failure in self.failures), default=0):.2f} s, failures: {dict(kinds)}"
        )

    def _doubts(self) -> Counter[str]:
        return Counter(failure.message for failure in self.failures if failure.is_in_doubt)

    def _send_on(self, server: str, tenant: str, pause_s: float) -> None:
        number, name = 0, f"{threading.current_thread().name}-{secrets.token_hex(8)}"
        while not self._is_over.is_set():
            number += 1
            self._deliver(f"{name}-{number}", server, tenant, pause_s)

    def _deliver(self, message: str, server: str, tenant: str, pause_s: float) -> None:
        self._tenant_by_message[message] = tenant
        given_up = time.monotonic() + _SETTLING_S
        while time.monotonic() < given_up:
            begun = time.monotonic()
            try:
                pin = self.lab.places.pin("sender")
                with probes.connect(pin, server, 25, PATIENCE_S) as connection:
                    _Attempt(connection, tenant, pause_s).run(message)
                self._note_accepted(message)
                return
            except (_NotAcceptedError, OSError) as error:
                why = str(error) if isinstance(error, _NotAcceptedError) else repr(error)
                is_in_doubt = isinstance(error, _NotAcceptedError) and error.is_in_doubt
                self.failures.append(Failure(message, why, time.monotonic() - begun, is_in_doubt))
            time.sleep(_RETRY_S)

    def _note_accepted(self, message: str) -> None:
        now = time.monotonic()
        if self.accepted:
            self._longest_gap_s = max(self._longest_gap_s, now - self._last_s)
        self._last_s = now
        self.accepted.append(message)

    def _await_arrivals(self) -> Counter[str]:
        """Return how often each message is in a mailbox; a server may take a moment to put it there."""
        deadline = time.monotonic() + 60
        while any(not (arrived := self._arrivals())[message] for message in self.accepted):
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return arrived

    def _arrivals(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for tenant in ("acme", "globex"):
            for file in _files(maildir(self.lab.places, f"{tenant}-mx", "alice")):
                if (mark := _MARK.search(file.read_text(errors="replace", encoding="utf-8"))) and (
                    self._tenant_by_message.get(mark[1]) == tenant
                ):
                    found[mark[1]] += 1
        return found


def _files(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.exists() else []
