"""Hand-made frames, as an attacker would send them, and a capture of what arrives elsewhere.

Used to prove with real packets, not from the flows alone, that forbidden paths do
not exist. Sends single frames, never floods.
"""

import ipaddress
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import namespaces

_IPV4, _IPV6 = 0x0800, 0x86DD
_TCP = 6
SYN, ACK, FIN, RST = 0x02, 0x10, 0x01, 0x04  # RFC 9293, 3.1
_EVERYTHING = 0x0003  # ETH_P_ALL, linux/if_ether.h
_BURST, _PAUSE_S = 16, 0.002
_BUFFER_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment from `source` to `destination`, with the MACs that the sender chooses."""

    source_mac: str
    destination_mac: str
    source: str
    destination: str
    source_port: int
    destination_port: int = 25
    flags: int = SYN

    def to_frame(self) -> bytes:
        """Return the Ethernet frame (RFC 9293, 3.1; RFC 791, 3.1; RFC 8200, 3)."""
        source, destination = ipaddress.ip_address(self.source), ipaddress.ip_address(self.destination)
        macs = _mac(self.destination_mac) + _mac(self.source_mac)
        segment = self._segment(source.packed, destination.packed)
        if source.version == 4:
            return macs + struct.pack("!H", _IPV4) + _ipv4(source.packed, destination.packed, segment)
        header = struct.pack("!IHBB", 6 << 28, len(segment), _TCP, 64)
        return macs + struct.pack("!H", _IPV6) + header + source.packed + destination.packed + segment

    def _segment(self, source: bytes, destination: bytes) -> bytes:
        def pack(checksum: int) -> bytes:
            ports = (self.source_port, self.destination_port)
            return struct.pack("!HHIIBBHHH", *ports, 1000, 0, 5 << 4, self.flags, 64240, checksum, 0)

        pseudo = source + destination + struct.pack("!II", len(pack(0)), _TCP)
        if len(source) == 4:
            pseudo = source + destination + struct.pack("!BBH", 0, _TCP, len(pack(0)))
        return pack(_checksum(pseudo + pack(0)))


def _ipv4(source: bytes, destination: bytes, payload: bytes) -> bytes:
    def pack(checksum: int) -> bytes:
        length = 20 + len(payload)
        return struct.pack("!BBHHHBBH", 0x45, 0, length, 1, 0x4000, 64, _TCP, checksum) + source + destination

    return pack(_checksum(pack(0))) + payload


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF)


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def send(pin: Path, interface: str, frames: Iterable[bytes]) -> None:
    """Put frames on an interface of a host, a few at a time, so that the switch loses none."""
    with namespaces.socket_inside(pin, socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind((interface, 0))
        for number, frame in enumerate(frames, start=1):
            wire.send(frame)
            if number % _BURST == 0:
                time.sleep(_PAUSE_S)


class Eye:
    """Captures every TCP segment that arrives on an interface of a host until it is closed.

    It ignores resets. Tests do not forge them, and a host behind the same router whose address was
    forged sends its own reset when it receives an answer to a packet that it did not send.
    """

    def __init__(self, pin: Path, interface: str) -> None:
        self._wire = namespaces.socket_inside(
            pin, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERYTHING)
        )
        self._wire.bind((interface, _EVERYTHING))
        self._wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._seen: set[tuple[int, int]] = set()

    def __enter__(self) -> "Eye":
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    def saw(self, segment: Segment, within_s: float) -> bool:
        """Return whether a segment with these ports arrives within a time, or has arrived before."""
        wanted = (segment.source_port, segment.destination_port)
        deadline = time.monotonic() + within_s
        while wanted not in self._seen and (left_s := deadline - time.monotonic()) > 0:
            self._look(left_s)
        return wanted in self._seen

    def seen(self, quiet_s: float) -> frozenset[tuple[int, int]]:
        """Return (source port, destination port) of all that arrived, once nothing has come for a while."""
        while self._look(quiet_s):
            continue
        return frozenset(self._seen)

    def _look(self, patience_s: float) -> bool:
        """Take the next frame; return whether there was one. With no patience, one that is there already."""
        self._wire.settimeout(patience_s)
        try:
            frame, origin = self._wire.recvfrom(2048)
        except (TimeoutError, BlockingIOError):
            return False
        if origin[2] != socket.PACKET_OUTGOING and (ports := _ports_unless_reset(frame)):
            self._seen.add(ports)
        return True


def _ports_unless_reset(frame: bytes) -> tuple[int, int] | None:
    """Return (source port, destination port) of a TCP segment on IP, None for a reset and for all else."""
    kind = int.from_bytes(frame[12:14])
    if kind == _IPV4 and frame[23] == _TCP:
        segment = frame[14 + (frame[14] & 15) * 4 :]
    elif kind == _IPV6 and frame[20] == _TCP:
        segment = frame[54:]
    else:
        return None
    source_port, destination_port = struct.unpack("!HH", segment[:4])
    return None if segment[13] & RST else (source_port, destination_port)


@contextmanager
def watching(pin: Path, interface: str, source: str, patience_s: float) -> Iterator[Callable[[], float]]:
    """Yield a function that waits for the first packet from an address and returns its time (monotonic).

    The function raises `TimeoutError`.
    """
    packed = ipaddress.ip_address(source).packed
    at = 26 if len(packed) == 4 else 22
    with namespaces.socket_inside(pin, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERYTHING)) as wire:
        wire.bind((interface, _EVERYTHING))
        wire.settimeout(patience_s)

        def wait() -> float:
            while True:
                frame, origin = wire.recvfrom(2048)
                if origin[2] != socket.PACKET_OUTGOING and frame[at : at + len(packed)] == packed:
                    return time.monotonic()

        yield wait
