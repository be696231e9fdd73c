"""Frames on the channel between the controller and its proving process. Pure.

A frame is a header (magic, version, kind, length) and a body. Both ends come from one installation; after an
upgrade of a running controller they may differ, which the version and the greeting show.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum

_HEADER = struct.Struct(">4sBBI")
_MAGIC = b"PSTN"
VERSION = 2
HEADER_BYTES = _HEADER.size


class FrameError(Exception):
    """What arrived is not a valid frame."""


class FrameKind(IntEnum):
    """The first ones go to the proving process, the last two come from it."""

    POLICY = 1
    TENANTS = 2
    SWITCH = 3
    GONE = 4
    FLOWS = 5
    REST = 6
    ASK = 7
    GREETING = 16
    ANSWER = 17


def encode_frame(kind: FrameKind, body: bytes) -> bytes:
    return _HEADER.pack(_MAGIC, VERSION, kind, len(body)) + body


class FrameReader:
    """Collects bytes, and yields whole frames. `most_bytes`: the largest body that is accepted."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[FrameKind, bytes]]:
        """Raise `FrameError`; the channel is of no further use then."""
        self._pending += data
        while len(self._pending) >= HEADER_BYTES:
            kind, size = self._header()
            if len(self._pending) < HEADER_BYTES + size:
                return
            body = bytes(self._pending[HEADER_BYTES : HEADER_BYTES + size])
            del self._pending[: HEADER_BYTES + size]
            yield kind, body

    def _header(self) -> tuple[FrameKind, int]:
        magic, version, kind, size = _HEADER.unpack_from(self._pending)
        if magic != _MAGIC:
            raise FrameError(f"a frame begins with {magic!r}")
        if version != VERSION:
            raise FrameError(f"a frame of version {version}; expected {VERSION}")
        if size > self._most_bytes:
            raise FrameError(f"a frame of {size} bytes; the limit is {self._most_bytes}")
        try:
            return FrameKind(kind), size
        except ValueError as error:
            raise FrameError(f"a frame of kind {kind}") from error
