"""The documents that builder, servers and clients exchange: a generation's manifest and a ring's target.

Both are JSON with a detached signature (`signing`). Readers trust nothing in them:
sizes, names and numbers are limited, and an unknown format is refused.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = 1
MANIFEST = "manifest.json"
RING = "ring.json"
SIGNATURE_SUFFIX = ".minisig"
RINGS = ("canary", "all")
# Our files in every generation: signatures, which are only appended to, and the generation's marker.
OWN_FILES = tuple(
    f"{stem}.{suffix}" for stem in ("postern", "postern-generation") for suffix in ("hsb", "ndb", "yar")
)
LARGEST_DOCUMENT_BYTES = 64 * 1024
_LARGEST_NUMBER = 99_999_999
_LARGEST_FILE_BYTES = 4 * 1024**3
_MOST_FILES = 400
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MARKER = re.compile(r"POSTERN-ANTIVIRUS-GENERATION-[0-9]{8}-[0-9a-f]{16}")
_LONGEST_TEXT = 500


class Malformed(ValueError):
    """A document is not valid; the text says why."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a generation. `signed_by`: `clamav` if the file contains ClamAV's own signature."""

    name: str
    bytes: int
    sha256: str
    signed_by: str = "postern"


@dataclass(frozen=True, slots=True)
class Manifest:
    """All files of a generation. A scanner that detects `marker` uses this generation."""

    generation: int
    previous: int
    created: str
    why: str
    marker: str
    files: tuple[File, ...]

    def file(self, name: str) -> File | None:
        return next((each for each in self.files if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Ring:
    """The generation that a ring of clients must use. `serial` always increases, even on a rollback."""

    ring: str
    serial: int
    generation: int
    manifest_sha256: str
    changed: str


def directory_of(generation: int) -> str:
    """Return the name of a generation's directory: 00000012."""
    return f"{generation:08d}"


def marker_name(generation: int) -> str:
    """Return the prefix of the signature names that detect a generation's marker; a dot follows it.

    YARA rules have underscores instead of the other dots.
    """
    return f"Postern.Generation.{generation}"


def generation_comment(generation: int) -> str:
    """Return the trusted comment that is signed together with a manifest."""
    return f"postern generation {generation}"


def ring_comment(serial: int) -> str:
    """Return the trusted comment that is signed together with a ring's target."""
    return f"postern ring {serial}"


def encode(document: Manifest | Ring) -> bytes:
    return json.dumps({"format": FORMAT, **asdict(document)}, indent=1, sort_keys=True).encode() + b"\n"


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest. Raise `Malformed`."""
    record = _record(data, MANIFEST)
    marker = _matching(record, "marker", _MARKER)
    files = record.get("files")
    if not isinstance(files, list) or not 1 <= len(files) <= _MOST_FILES:
        raise Malformed(f"{MANIFEST}: files: is not a list of 1 to {_MOST_FILES} entries")
    manifest = Manifest(
        _number(record, "generation", 1),
        _number(record, "previous", 0),
        _text(record, "created"),
        _text(record, "why"),
        marker,
        tuple(_files(files)),
    )
    if len({file.name for file in manifest.files}) != len(manifest.files):
        raise Malformed(f"{MANIFEST}: files: a name is listed twice")
    return manifest


def parse_ring(data: bytes) -> Ring:
    """Read a ring's target. Raise `Malformed`."""
    record = _record(data, RING)
    if record.get("ring") not in RINGS:
        raise Malformed(f"{RING}: ring: must be one of {', '.join(RINGS)}")
    return Ring(
        record["ring"],
        _number(record, "serial", 1),
        _number(record, "generation", 1),
        _matching(record, "manifest_sha256", _SHA256),
        _text(record, "changed"),
    )


def is_plain_name(name: str) -> bool:
    """Return whether a text is a plain file name, without a path to anywhere else."""
    return _NAME.fullmatch(name) is not None


def _files(entries: list[Any]) -> Iterator[File]:
    for entry in entries:
        if not isinstance(entry, dict):
            raise Malformed(f"{MANIFEST}: files: an entry is not a mapping")
        name = _matching(entry, "name", _NAME)
        if name.startswith(MANIFEST) or name.startswith(RING):
            raise Malformed(f"{MANIFEST}: files: {name} is not a valid name of a database")
        signed_by = entry.get("signed_by")
        if signed_by not in ("postern", "clamav"):
            raise Malformed(f"{MANIFEST}: files: {name}: signed_by: must be postern or clamav")
        size = _number(entry, "bytes", 0, _LARGEST_FILE_BYTES)
        yield File(name, size, _matching(entry, "sha256", _SHA256), signed_by)


def _record(data: bytes, what: str) -> dict[str, Any]:
    if len(data) > LARGEST_DOCUMENT_BYTES:
        raise Malformed(f"{what}: is larger than {LARGEST_DOCUMENT_BYTES} bytes")
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{what}: is not valid JSON: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise Malformed(f"{what}: is not of format {FORMAT}; remedy: install a newer Postern here")
    return record


def _number(record: dict[str, Any], key: str, least: int, most: int = _LARGEST_NUMBER) -> int:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Malformed(f"{key}: is not a number in {least}..{most}")
    return value


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise Malformed(f"{key}: is not a printable text of at most {_LONGEST_TEXT} characters")
    return value


def _matching(record: dict[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Malformed(f"{key}: is malformed")
    return value
