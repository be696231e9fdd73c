"""Sends real mail with swaks from a host of the lab, and returns the reply that the sender received."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.messages import Message
from lab.namespaces import entering
from lab.processes import surroundings

_TIMEOUT_S = 60
_NOBODYS_HOME = "/nonexistent"  # swaks reads .swaksrc in a home, and SWAKS_OPT_* (swaks(1), "CONFIGURATION")
_REPLY = re.compile(r"^<(?:-|~|\*\*|~\*) +(\d{3}[ -].*)$")
_LACKING = re.compile(r"^\*\*\* (.* not available: .*)$", re.MULTILINE)  # a Perl module
_COMMAND = re.compile(r"^ (?:-|~)> ?(.*)$")


@dataclass(frozen=True, slots=True)
class Letter:
    """An envelope, and the address that it is sent to. `tls`: encrypt if the other side offers it."""

    sender: str
    recipient: str
    server: str
    message: Message
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """The final reply that the sender received, verbatim, and the whole dialogue."""

    reply: str  # lines joined with a newline; empty: no connection
    transcript: str

    @property
    def code(self) -> int:
        return int(self.reply[:3]) if self.reply else 0


def send(pin: Path, letter: Letter) -> Told:
    """Send one letter from a host. Raise `LabError` if swaks itself cannot."""
    command = [
        "swaks",
        "--server",
        letter.server,
        "--port",
        "25",
        "--timeout",
        "30",
        "--helo",
        "sender.example",
    ]
    command += ["--from", letter.sender, "--to", letter.recipient, "--data", "-"]
    command += ["-6"] if ":" in letter.server else ["-4"]
    command += ["--tls-optional"] if letter.tls else []
    done = subprocess.run(
        entering(pin, command),
        input=letter.message.data,
        capture_output=True,
        timeout=_TIMEOUT_S,
        env={**surroundings(), "HOME": _NOBODYS_HOME},
    )
    transcript = (done.stdout + done.stderr).decode(errors="replace")
    if lacking := _LACKING.search(transcript):
        raise LabError(f"swaks cannot send this message: {lacking[1]}; remedy: make setup")
    return Told(final_reply(transcript), transcript)


def final_reply(transcript: str) -> str:
    """Return the reply to the message, or the refusal that came before it, from what swaks printed."""
    exchanges: list[tuple[str, list[str]]] = [("", [])]
    for line in transcript.splitlines():
        if reply := _REPLY.match(line):
            exchanges[-1][1].append(reply[1])
        elif command := _COMMAND.match(line):
            exchanges.append((command[1], []))
    for command_text, replies in exchanges:
        if replies and (command_text == "." or replies[0][0] in "45"):
            return "\n".join(replies)
    return "\n".join(next((replies for _, replies in reversed(exchanges) if replies), []))
