"""Messages to send through a lab: clean ones, and ones that carry the two harmless test samples.

EICAR is kept in pieces, so that scanners do not report this file; our own sample is read from the
signature that detects it.
"""

import secrets
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from enum import StrEnum

from lab.paths import REPOSITORY

# The industry's test file: harmless, and detected by every scanner (eicar.org).
EICAR = "".join(("X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTI", "VIRUS-TEST-FILE!$H+H*")).encode()


class Content(StrEnum):
    CLEAN = "clean"
    ATTACHMENT = "clean, with an attachment"
    EICAR = "carries the EICAR test file"
    SAMPLE = "carries Postern's own test sample"


@dataclass(frozen=True, slots=True)
class Message:
    message_id: str  # with angle brackets
    data: bytes  # LF line ends; the sending program makes them CRLF


_SIGNATURES = REPOSITORY / "deploy" / "clamav" / "signatures" / "postern-test.ndb"
_OWN_NAME = "Postern.Test.Sample"


def own_sample() -> bytes:
    """Return the sample of Postern's own signature. Raise `OSError`, or `LookupError` if there is none."""
    for line in _SIGNATURES.read_text(encoding="ascii").splitlines():
        name, _, _, pattern = line.split(":")
        if name == _OWN_NAME:
            return bytes.fromhex(pattern)
    raise LookupError(f"{_SIGNATURES} has no signature {_OWN_NAME}")


def build(content: Content, sender: str, recipient: str) -> Message:
    """Return a message of a kind, with a Message-ID of its own."""
    noise = bytes(number * 7 % 256 for number in range(20_000))
    match content:
        case Content.CLEAN:
            return _message(content.value, sender, recipient)
        case Content.ATTACHMENT:
            return _message(content.value, sender, recipient, noise, "figures.bin")
        case Content.EICAR:
            return _message(content.value, sender, recipient, EICAR, "invoice.com")
        case Content.SAMPLE:
            return _message(content.value, sender, recipient, own_sample(), "update.bin")


def carrying(payload: bytes, sender: str, recipient: str) -> Message:
    """Return a message that carries a file."""
    return _message("carries a file", sender, recipient, payload, "update.exe")


def _message(subject: str, sender: str, recipient: str, payload: bytes = b"", name: str = "") -> Message:
    message = EmailMessage()
    message_id = f"<{secrets.token_hex(8)}@postern.example>"
    message["Date"] = formatdate()
    message["From"], message["To"] = sender, recipient
    message["Subject"] = f"Postern demo: {subject}"
    message["Message-ID"] = message_id
    message.set_content("A message to test the edge.\n")
    if payload:
        message.add_attachment(payload, "application", "octet-stream", filename=name)
    return Message(message_id, message.as_bytes())
