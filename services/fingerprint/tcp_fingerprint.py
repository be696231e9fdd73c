"""A kernel's answer to a SYN: its hop limit, window and TCP options. Needs root.

A persona cannot set what the kernel sends, so it is shown but not judged.
"""

import asyncio
import contextlib
import socket
import struct
import time
from dataclasses import dataclass

from services.fingerprint.client import Manners, Place

_PACKET_BYTES = 2_048
_SYN_ACK, _RST = 0x12, 0x04
_OPTIONS = {0: "end", 1: "nop", 2: "mss", 3: "wscale", 4: "sackOK", 8: "timestamps"}
_SIMPLE = (0, 1)  # options without a length
_HOP_LIMIT_CMSG = struct.Struct("i")


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    """`options` in their order, with values that may differ between kernels."""

    flags: str
    ttl: int
    window: int
    options: str

    def __str__(self) -> str:
        return f"{self.flags}, hop limit {self.ttl}, window {self.window}, options {self.options or 'none'}"


async def look_at_kernel(place: Place, manners: Manners) -> FirstAnswer | None:
    """Return the answer to the first SYN; None if there is no answer, or we may not read it."""
    try:
        listener = _listen(place)
    except PermissionError:
        return None
    with listener:
        knocker = socket.socket(listener.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        with knocker:
            with contextlib.suppress(BlockingIOError, OSError):
                knocker.connect((str(place.address), place.port))
            return await _wait_for_answer(listener, knocker.getsockname()[1], place, manners)


def _listen(place: Place) -> socket.socket:
    family = socket.AF_INET if place.address.version == 4 else socket.AF_INET6
    listener = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_TCP)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
    return listener


async def _wait_for_answer(
    listener: socket.socket, port: int, place: Place, manners: Manners
) -> FirstAnswer | None:
    deadline = time.monotonic() + manners.connect_s
    while time.monotonic() < deadline:
        try:
            packet, ancillary, _, source = listener.recvmsg(_PACKET_BYTES, socket.CMSG_SPACE(4))
        except BlockingIOError:
            await asyncio.sleep(0.01)
            continue
        if source[0].partition("%")[0] != str(place.address):
            continue
        header = _tcp_header(packet, ancillary, place.address.version)
        is_ours = header is not None and struct.unpack(">HH", header[1][:4]) == (place.port, port)
        if header is not None and is_ours and (answer := parse_answer(*header)) is not None:
            return answer
    return None


def _tcp_header(
    packet: bytes, ancillary: list[tuple[int, int, bytes]], version: int
) -> tuple[int, bytes] | None:
    """Return hop limit and TCP header; raw sockets of IPv4 show the IP header, those of IPv6 do not."""
    if version == 4:
        begin = (packet[0] & 0x0F) * 4 if packet else 0
        return (packet[8], packet[begin:]) if len(packet) >= begin + 20 and begin >= 20 else None
    limits = [_HOP_LIMIT_CMSG.unpack(data[:4])[0] for _, _, data in ancillary if len(data) >= 4]
    return (limits[0], packet) if limits and len(packet) >= 20 else None


def parse_answer(ttl: int, header: bytes) -> FirstAnswer | None:
    """Parse a TCP header if it answers a SYN."""
    flags = header[13]
    if flags & _SYN_ACK != _SYN_ACK and not flags & _RST:
        return None
    window = int.from_bytes(header[14:16], "big")
    end = (header[12] >> 4) * 4
    return FirstAnswer("reset" if flags & _RST else "open", ttl, window, ",".join(_options(header[20:end])))


def _options(data: bytes) -> list[str]:
    found = []
    while data:
        kind = data[0]
        length = 1 if kind in _SIMPLE else (data[1] if len(data) > 1 else 0)
        if length < 1 or length > len(data):
            break
        name = _OPTIONS.get(kind, str(kind))
        value = int.from_bytes(data[2:length], "big")
        found.append(f"{name} {value}" if kind in (2, 3) else name)
        data = data[length:]
    return found
