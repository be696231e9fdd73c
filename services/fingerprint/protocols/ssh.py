"""SSH up to the lists of algorithms (RFC 4253, 4.2 and 7.1), without key exchange and login."""

import re
import struct

from services.fingerprint.protocols.interface import Facts, Lesson, Speaking, told
from services.fingerprint.script import Answers, Circumstances, Conversation, Heard, ScriptStep, is_line

_FIRST, _NONSENSE, _OLD = "first packet", "nonsense", "version 1"
_SAY = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10\r\n"
_KEXINIT = 20
_LONGEST_PACKET = 35_000  # RFC 4253, 6.1
_LONGEST_NAME, _MOST_NAMES = 64, 100  # RFC 4251, 6
_LISTS = (
    "key exchange",
    "host keys",
    "ciphers to the server",
    "ciphers to the client",
    "MACs to the server",
    "MACs to the client",
    "compression to the server",
    "compression to the client",
    "languages to the server",
    "languages to the client",
)
_KEYS = {
    "key_exchange": "key exchange",
    "host_keys": "host keys",
    "ciphers": "ciphers to the client",
    "macs": "MACs to the client",
    "compression": "compression to the client",
}
_IDENTIFICATION = re.compile(r"SSH-(2\.0|1\.99)-[\x21-\x7e][\x20-\x7e]{0,240}")


def _conversations(_: Circumstances) -> tuple[Conversation, ...]:
    return (
        Conversation((ScriptStep(_FIRST, _SAY, _has_packet),)),
        Conversation((ScriptStep("", b"", is_line), ScriptStep(_NONSENSE, b"help\r\n", is_line))),
        Conversation((ScriptStep("", b"", is_line), ScriptStep(_OLD, b"SSH-1.5-x\r\n", is_line))),
    )


def _has_packet(data: bytes) -> bool:
    packet = _after_identification(data)
    if len(packet) < 4:
        return False
    length = int.from_bytes(packet[:4], "big")
    return length > _LONGEST_PACKET or len(packet) >= 4 + length


def _after_identification(data: bytes) -> bytes:
    """Return the bytes after the line that begins with SSH-; lines before it are allowed."""
    found = re.search(rb"(?:\A|\n)SSH-[^\n]*\n", data)
    return data[found.end() :] if found else b""


def _identification(heard: Heard) -> str:
    found = re.search(rb"(?:\A|\n)(SSH-[^\r\n]*)\r?\n", heard.data)
    return found[1].decode("utf-8", "surrogateescape") if found else ""


def parse_lists(data: bytes) -> dict[str, list[str]]:
    """Return the lists of the first packet, in the RFC's order; an empty list if it is not a KEXINIT."""
    packet = _after_identification(data)
    if len(packet) < 22 or packet[5] != _KEXINIT:
        return {}
    payload, lists = packet[22:], {}
    for name in _LISTS:
        if len(payload) < 4:
            return {}
        (length,) = struct.unpack(">I", payload[:4])
        text, payload = payload[4 : 4 + length], payload[4 + length :]
        if len(text) != length:
            return {}
        names = text.decode("ascii", "replace").split(",")[:_MOST_NAMES] if text else []
        lists[name] = [each[:_LONGEST_NAME] for each in names]
    return lists


def _learn(answers: Answers, circumstances: Circumstances) -> Lesson:
    lesson = Lesson()
    first = answers.get(_FIRST)
    identification = _identification(first) if first else ""
    if not _IDENTIFICATION.fullmatch(identification):
        lesson.remarks.append("the server sent no identification: it is a default")
        identification = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"
    lesson.fields["identification"] = identification
    hostname = circumstances.name.partition(".")[0]
    lesson.fields["hostname"] = lesson.line(hostname or "server", "hostname")
    if not hostname:
        lesson.remarks.append("hostname: invented; SSH does not show it before login")
    lists = parse_lists(first.data) if first else {}
    for key, name in _KEYS.items():
        if names := [lesson.line(each, name) for each in lists.get(name, ()) if each]:
            lesson.fields[key] = names
    if not lists:
        lesson.remarks.append("the server sent no lists of algorithms: they are defaults")
    lesson.remarks.append("users: invented; no login was tried. Add the users that can log in")
    lesson.fields["users"] = {"root": ["root", "toor", "123456", "admin", "password"]}
    return lesson


def _facts(answers: Answers) -> Facts:
    facts = {name: told(heard) for name, heard in answers.items() if name != _FIRST}
    if first := answers.get(_FIRST):
        facts["identification"] = _identification(first)
        lists = parse_lists(first.data)
        facts |= {name: ",".join(names) for name, names in lists.items()}
        if not lists:
            facts[_FIRST] = told(first)
    return facts


SSH = Speaking(_conversations, _learn, _facts)
