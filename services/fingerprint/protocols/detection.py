"""Detects the protocol of a port: by its number, or by its answer to a client."""

import re

from services.fingerprint.protocols.banner import BANNER
from services.fingerprint.protocols.ftp import FTP
from services.fingerprint.protocols.http import HTTP, HTTPS
from services.fingerprint.protocols.mailboxes import IMAP, IMAPS, POP3, POP3S
from services.fingerprint.protocols.smtp import SMTP, SMTPS
from services.fingerprint.protocols.ssh import SSH
from services.fingerprint.protocols.telnet import TELNET
from services.fingerprint.script import Conversation, ScriptStep, is_line
from services.personas.model import Protocol

SPEAKING = {
    Protocol.SMTP: SMTP,
    Protocol.SMTPS: SMTPS,
    Protocol.HTTP: HTTP,
    Protocol.HTTPS: HTTPS,
    Protocol.POP3: POP3,
    Protocol.POP3S: POP3S,
    Protocol.IMAP: IMAP,
    Protocol.IMAPS: IMAPS,
    Protocol.FTP: FTP,
    Protocol.BANNER: BANNER,
    Protocol.SSH: SSH,
    Protocol.TELNET: TELNET,
}
USUAL: dict[int, Protocol] = {
    21: Protocol.FTP,
    22: Protocol.SSH,
    23: Protocol.TELNET,
    25: Protocol.SMTP,
    80: Protocol.HTTP,
    110: Protocol.POP3,
    143: Protocol.IMAP,
    443: Protocol.HTTPS,
    465: Protocol.SMTPS,
    587: Protocol.SMTP,
    993: Protocol.IMAPS,
    995: Protocol.POP3S,
    2222: Protocol.SSH,
    8000: Protocol.HTTP,
    8080: Protocol.HTTP,
    8443: Protocol.HTTPS,
}
LISTENING = Conversation((ScriptStep("it speaks first", b"", is_line, wait_s=3.0),))
ASKING = Conversation((ScriptStep("asked as a web server", b"GET / HTTP/1.0\r\n\r\n", is_line, wait_s=5.0),))
_SIGNS: tuple[tuple[re.Pattern[bytes], Protocol], ...] = (
    (re.compile(rb"SSH-"), Protocol.SSH),
    (re.compile(rb"HTTP/1\.[01] "), Protocol.HTTP),
    (re.compile(rb"220[ -][^\n]*(FTP|FileZilla)", re.I), Protocol.FTP),
    (re.compile(rb"220[ -][^\n]*(SMTP|mail|Postfix|Exim)", re.I), Protocol.SMTP),
    (re.compile(rb"\+OK "), Protocol.POP3),
    (re.compile(rb"\* (OK|PREAUTH) "), Protocol.IMAP),
    (re.compile(rb"\xff[\xfb-\xfe]"), Protocol.TELNET),
)


def recognise(data: bytes) -> Protocol | None:
    """Return the protocol that an answer looks like, or None if personas do not support it."""
    return next((protocol for sign, protocol in _SIGNS if sign.match(data)), None)
