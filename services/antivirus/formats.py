"""The documents that builder, servers and clients exchange: a generation's manifest and a ring's target.

Both are JSON with a detached signature (`signing`). Readers trust nothing in them: their records limit sizes,
names and numbers (`common.wire.generations`), and an unknown format is refused.
"""

import json
from typing import TypeVar

from common.wire.antivirus import Ring
from common.wire.codec import RecordError, load, to_media
from common.wire.generations import Manifest, RingTarget

MANIFEST = "manifest.json"
RING = "ring.json"
SIGNATURE_SUFFIX = ".minisig"
RINGS = tuple(ring.value for ring in Ring)
# Our files in every generation: signatures, which are only appended to, and the generation's marker.
OWN_FILES = tuple(
    f"{stem}.{suffix}" for stem in ("postern", "postern-generation") for suffix in ("hsb", "ndb", "yar")
)
LARGEST_DOCUMENT_BYTES = 64 * 1024
R = TypeVar("R", Manifest, RingTarget)


class Malformed(ValueError):
    """A document is not valid; the text says why."""


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


def encode(document: Manifest | RingTarget) -> bytes:
    """Return a document as it is signed: the same document always gives the same bytes."""
    return json.dumps(to_media(document), indent=1, sort_keys=True).encode() + b"\n"


def parse_manifest(data: bytes) -> Manifest:
    """Read a manifest. Raise `Malformed`."""
    return _parse(Manifest, data, MANIFEST)


def parse_ring(data: bytes) -> RingTarget:
    """Read a ring's target. Raise `Malformed`."""
    return _parse(RingTarget, data, RING)


def _parse(kind: type[R], data: bytes, what: str) -> R:
    if len(data) > LARGEST_DOCUMENT_BYTES:
        raise Malformed(f"{what}: is larger than {LARGEST_DOCUMENT_BYTES} bytes")
    try:
        return load(kind, data).record
    except RecordError as error:
        remedy = error.remedy or f"remove {what} at the builder, and publish again"
        raise Malformed(f"{what}: {error}; remedy: {remedy}") from error
