"""Our own signatures: entries with author, time and reason, and the database files for ClamAV. Pure.

Sources: ClamAV manual, "Hash-based Signatures" (.hsb), "Body-based Signature Content
Format" (.ndb), "YARA rules" (.yar).
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from common.wire.codec import Versioned
from services.antivirus.formats import marker_name

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_RESERVED = "Postern.Generation."
_PREFIX = "Postern."
_HASH = re.compile(r"([0-9a-f]{64})(?::([0-9]{1,10}))?")
_PATTERN = re.compile(r"[0-9a-fA-F?*{}()|\[\]!-]{8,8000}")
_TARGET_AND_OFFSET = re.compile(r"(1[0-2]|[0-9]):([0-9A-Za-z*,+-]{1,40}):(.*)")
_RULE = re.compile(r"\s*rule\s+([A-Za-z_][A-Za-z0-9_]{0,120})\b.*}\s*", re.DOTALL)
_LARGEST_RULE = 64 * 1024
_ANY_SIZE_SINCE = 73  # the functionality level from which a hash needs no size
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


class Kind(StrEnum):
    HASH = "hash"
    PATTERN = "pattern"
    YARA = "yara"


class BadEntry(ValueError):
    """A signature that ClamAV would reject, or that is not allowed; the text says why, and gives a remedy."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`text`: SHA-256 and size, or the part after the name in an .ndb line, or a whole YARA rule."""

    name: str
    kind: Kind
    text: str
    reason: str
    added: str  # UTC
    by: str

    @property
    def sha256(self) -> str:
        return self.text.partition(":")[0] if self.kind is Kind.HASH else ""


@dataclass(frozen=True, slots=True)
class OwnSignatures(Versioned):
    entries: tuple[Entry, ...] = ()


def full_name(name: str) -> str:
    """Return the name with our prefix. Raise `BadEntry`."""
    whole = name if name.startswith(_PREFIX) else _PREFIX + name
    if not _NAME.fullmatch(whole) or whole.startswith(_RESERVED):
        raise BadEntry(
            f"{name!r} is not a valid name of a signature; remedy: use letters, digits, . and -, at most 80"
        )
    return whole


def hash_text(text: str) -> str:
    """Check SHA256 or SHA256:SIZE. Raise `BadEntry`."""
    found = _HASH.fullmatch(text.lower())
    if not found:
        raise BadEntry(f"{text[:80]!r} is not a SHA-256; remedy: write 64 hex digits, and :SIZE if known")
    if found[1] == _EMPTY_SHA256:
        raise BadEntry("this is the hash of an empty file, which every host has")
    return found[0]


def pattern_text(text: str) -> str:
    """Check TARGET:OFFSET:HEX, or HEX alone. Raise `BadEntry`."""
    whole = text if ":" in text else f"0:*:{text}"
    found = _TARGET_AND_OFFSET.fullmatch(whole)
    if not found or not _PATTERN.fullmatch(found[3]):
        raise BadEntry(
            f"{text[:80]!r} is not a valid pattern; remedy: write TARGET:OFFSET:HEX, like 0:*:deadbeef"
        )
    return whole


def yara_text(text: str) -> tuple[str, str]:
    """Return (name, rule) of a file with one YARA rule. Raise `BadEntry`."""
    found = _RULE.fullmatch(text)
    if not found or len(text) > _LARGEST_RULE or len(re.findall(r"(?m)^\s*rule\s", text)) != 1:
        raise BadEntry("the file must have exactly one YARA rule; remedy: one rule per file, at most 64 KiB")
    if found[1].startswith("Postern_Generation"):
        raise BadEntry(f"{found[1]} is a reserved name; remedy: choose another name for the rule")
    return found[1], text.strip() + "\n"


def databases(
    entries: Iterable[Entry], base: Iterable[str], generation: int, marker: str
) -> dict[str, bytes]:
    """Return our files by name. `base`: lines of an .ndb that every generation has.

    Signatures are in the order in which they were added, so that a client needs to fetch only the end of a
    file. Each of the three kinds detects the marker, in a small file of its own.
    """
    known, patterns = list(entries), list(base)
    name = marker_name(generation)
    rule = name.replace(".", "_")
    return {
        "postern.hsb": _lines([*map(_base_hash, patterns), *_of(known, Kind.HASH)]),
        "postern.ndb": _lines([*patterns, *_of(known, Kind.PATTERN)]),
        "postern.yar": _lines([*map(_base_rule, patterns), *_of(known, Kind.YARA)]),
        "postern-generation.hsb": _lines([f"{_sha256(marker.encode())}:{len(marker)}:{name}.Hash"]),
        "postern-generation.ndb": _lines([f"{name}:0:*:{marker.encode().hex()}"]),
        "postern-generation.yar": _lines([f'rule {rule} {{ strings: $a = "{marker}" condition: $a }}']),
    }


def _of(entries: list[Entry], kind: Kind) -> list[str]:
    return [_line(entry) for entry in entries if entry.kind is kind]


def _line(entry: Entry) -> str:
    match entry.kind:
        case Kind.HASH:
            return _hash_line(entry)
        case Kind.PATTERN:
            return f"{entry.name}:{entry.text}"
        case Kind.YARA:
            return entry.text


def _base_hash(line: str) -> str:
    """Return the hash of a sample: no database may be empty, so the samples are in each of them."""
    name, _, _, pattern = line.split(":")
    sample = bytes.fromhex(pattern)
    return f"{_sha256(sample)}:{len(sample)}:{name}.Hash"


def _base_rule(line: str) -> str:
    name, _, _, pattern = line.split(":")
    return f"rule {name.replace('.', '_')} {{ strings: $a = {{ {pattern} }} condition: $a }}"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hash_line(entry: Entry) -> str:
    digest, _, size = entry.text.partition(":")
    return f"{digest}:{size}:{entry.name}" if size else f"{digest}:*:{entry.name}:{_ANY_SIZE_SINCE}"


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
