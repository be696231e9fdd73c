"""The connection table of the switches, as they print it (ovs-dpctl(8), dump-conntrack)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from tests.ovs.frames.craft import Tuple5

_PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132}
_ANOTHER = 255
_LINE = re.compile(
    r"^(\w+),orig=\((.*?)\),reply=\((.*?)\)(?:,zone=(\d+))?.*?(?:,labels=(0x\w+))?(?:,protoinfo.*)?$"
)
_MAC = (1 << 48) - 1


@dataclass(frozen=True, slots=True)
class Connection:
    """`original` and `reply`: what a packet of each direction looks like before translation."""

    zone: int
    original: Tuple5
    reply: Tuple5
    responder: int  # MACs of the label
    initiator: int


def read_connections(lines: Iterable[str]) -> list[Connection]:
    return [found for line in lines if (found := _read(line))]


@lru_cache(maxsize=10_000)
def _read(line: str) -> Connection | None:
    parts = _LINE.match(line)
    if parts is None:
        return None
    protocol = _protocol(parts[1])
    label = int(parts[5] or "0", 16)
    return Connection(
        int(parts[4] or 0),
        _tuple5(protocol, parts[2]),
        _tuple5(protocol, parts[3]),
        label & _MAC,
        label >> 48 & _MAC,
    )


def _protocol(name: str) -> int:
    return int(name) if name.isdecimal() else _PROTOCOLS.get(name, _ANOTHER)


def _tuple5(protocol: int, text: str) -> Tuple5:
    parts = dict(each.split("=", 1) for each in text.split(","))
    source, target = ip_address(parts["src"]), ip_address(parts["dst"])
    if "id" in parts:
        kind = int(parts["type"]) << 8 | int(parts["code"])
        return Tuple5(protocol, source, target, kind, int(parts["id"]))
    return Tuple5(protocol, source, target, int(parts.get("sport", 0)), int(parts.get("dport", 0)))
