"""What the builder signs, and servers and agents read: a generation's manifest, and a ring's target."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from common.wire.antivirus import Ring
from common.wire.codec import Versioned
from common.wire.values import AtMost, Matching, Printable, Range

# A plain name leads to no other directory, and is not the name of a document beside the files.
_PLAIN_NAME = r"(?!manifest\.json|ring\.json)[A-Za-z0-9][A-Za-z0-9_.-]{0,100}"
_Number = Annotated[int, Range(1, 99_999_999)]
_Sha256 = Annotated[str, Matching("[0-9a-f]{64}", "a SHA-256 in hex")]
_Text = Annotated[str, Printable(500)]
_Marker = Annotated[str, Matching("POSTERN-ANTIVIRUS-GENERATION-[0-9]{8}-[0-9a-f]{16}", "a marker")]


def is_plain_name(name: str) -> bool:
    """Return whether a text can be the name of a file in a generation."""
    return re.fullmatch(_PLAIN_NAME, name) is not None


@dataclass(frozen=True, slots=True)
class GenerationFile:
    """One file of a generation. `signed_by`: `clamav` if the file contains ClamAV's own signature."""

    name: Annotated[str, Matching(_PLAIN_NAME, "a valid name of a database")]
    bytes: Annotated[int, Range(0, 4 * 1024**3)]
    sha256: _Sha256
    signed_by: Literal["postern", "clamav"]


@dataclass(frozen=True, slots=True)
class Manifest(Versioned):
    """All files of a generation. A scanner that detects `marker` uses this generation."""

    generation: _Number
    previous: Annotated[int, Range(0, 99_999_999)]
    created: _Text  # UTC
    why: _Text
    marker: _Marker
    files: Annotated[tuple[GenerationFile, ...], AtMost(400)]

    def __post_init__(self) -> None:
        """Raise `ValueError`."""
        if not self.files:
            raise ValueError("files: is empty")
        if len({file.name for file in self.files}) != len(self.files):
            raise ValueError("files: a name occurs twice")


@dataclass(frozen=True, slots=True)
class RingTarget(Versioned):
    """The generation that a ring of clients must use. `serial` always increases, even on a rollback."""

    ring: Ring
    serial: _Number
    generation: _Number
    manifest_sha256: _Sha256
    changed: _Text  # UTC
