"""What builder, servers and clients tell each other: the manifest of a generation, and where a ring points.

Both are JSON, signed beside (`signing`). Who reads them takes nothing for granted:
sizes, names and numbers are bounded, and an unknown format is refused.
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
# Ours in every generation: signatures, which grow at their ends, and the generation's marker.
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
    """Something that was read is not what it should be; the text says what."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a generation. `signed_by`: `clamav` where its own signature inside vouches for it."""

    name: str
    bytes: int
    sha256: str
    signed_by: str = "postern"


@dataclass(frozen=True, slots=True)
class Manifest:
    """All files of a generation. Whoever finds `marker` in a scan uses this generation."""

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
    """Which generation a ring of clients shall use. `serial` only grows, also when the generation falls."""

    ring: str
    serial: int
    generation: int
    manifest_sha256: str
    changed: str


def directory_of(generation: int) -> str:
    """Return the name of a generation's directory: 00000012."""
    return f"{generation:08d}"


def marker_name(generation: int) -> str:
    """Return how the names begin under which scanners find a generation's marker; a dot follows.

    A YARA rule has underscores for the other dots.
    """
    return f"Postern.Generation.{generation}"


def generation_comment(generation: int) -> str:
    """Return what is signed together with a manifest, as the trusted comment."""
    return f"postern generation {generation}"


def ring_comment(serial: int) -> str:
    """Return what is signed together with what a ring points to."""
    return f"postern ring {serial}"


def encode(document: Manifest | Ring) -> bytes:
    return json.dumps({"format": FORMAT, **asdict(document)}, indent=1, sort_keys=True).encode() + b"\n"


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest. Raise `Malformed`."""
    record = _record(data, MANIFEST)
    marker = _matching(record, "marker", _MARKER)
    files = record.get("files")
    if not isinstance(files, list) or not 1 <= len(files) <= _MOST_FILES:
        raise Malformed(f"{MANIFEST}: files: is no list of 1 to {_MOST_FILES}")
    manifest = Manifest(
        _number(record, "generation", 1),
        _number(record, "previous", 0),
        _text(record, "created"),
        _text(record, "why"),
        marker,
        tuple(_files(files)),
    )
    if len({file.name for file in manifest.files}) != len(manifest.files):
        raise Malformed(f"{MANIFEST}: files: a name stands there twice")
    return manifest


def parse_ring(data: bytes) -> Ring:
    """Read what a ring points to. Raise `Malformed`."""
    record = _record(data, RING)
    if record.get("ring") not in RINGS:
        raise Malformed(f"{RING}: ring: is none of {', '.join(RINGS)}")
    return Ring(
        record["ring"],
        _number(record, "serial", 1),
        _number(record, "generation", 1),
        _matching(record, "manifest_sha256", _SHA256),
        _text(record, "changed"),
    )


def is_plain_name(name: str) -> bool:
    """Say whether a text is the name of a file, and no way to anywhere else."""
    return _NAME.fullmatch(name) is not None


def _files(entries: list[Any]) -> Iterator[File]:
    for entry in entries:
        if not isinstance(entry, dict):
            raise Malformed(f"{MANIFEST}: files: an entry is no mapping")
        name = _matching(entry, "name", _NAME)
        if name.startswith(MANIFEST) or name.startswith(RING):
            raise Malformed(f"{MANIFEST}: files: {name} is no name for a database")
        signed_by = entry.get("signed_by")
        if signed_by not in ("postern", "clamav"):
            raise Malformed(f"{MANIFEST}: files: {name}: signed_by: is neither postern nor clamav")
        size = _number(entry, "bytes", 0, _LARGEST_FILE_BYTES)
        yield File(name, size, _matching(entry, "sha256", _SHA256), signed_by)


def _record(data: bytes, what: str) -> dict[str, Any]:
    if len(data) > LARGEST_DOCUMENT_BYTES:
        raise Malformed(f"{what}: is larger than {LARGEST_DOCUMENT_BYTES} bytes")
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{what}: is no JSON: {error}") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise Malformed(f"{what}: is not of format {FORMAT}; remedy: install a newer Postern here")
    return record


def _number(record: dict[str, Any], key: str, least: int, most: int = _LARGEST_NUMBER) -> int:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Malformed(f"{key}: is no number in {least}..{most}")
    return value


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not value.isprintable():
        raise Malformed(f"{key}: is no printable text of at most {_LONGEST_TEXT} characters")
    return value


def _matching(record: dict[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Malformed(f"{key}: is malformed")
    return value
