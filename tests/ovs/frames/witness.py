"""The packets that a violation shows, read from its words: what the operator sees is what gets sent."""

import re
from dataclasses import dataclass, replace
from ipaddress import ip_address

from controller.pipeline.fields import IpProto
from controller.proof.model import Violation
from tests.ovs.frames.craft import Tuple5

_PACKET = re.compile(
    r"(?P<name>TCP|UDP|ICMP(?:v6)? type \d+|IP protocol \d+) (?P<source>\S+) -> (?P<target>[^\s,]+)"
    r"(?P<later> \(a later fragment\))?(?P<rest>.*)$"
)
_PROTOCOLS = {"TCP": IpProto.TCP, "UDP": IpProto.UDP, "ICMP": IpProto.ICMP, "ICMPv6": IpProto.ICMPV6}
_NAMED = (22, 25, 53, 80, 443, 3310)
_VARIANTS = 5
_WITH_PORT = re.compile(r"^\[?(?P<address>[^\]]+?)\]?:(?P<port>\d+)$")


@dataclass(frozen=True, slots=True)
class Shown:
    """A packet in words. `rest`: how it relates to its connection, or who sent it."""

    tuple5: Tuple5
    is_later: bool
    rest: str


@dataclass(frozen=True, slots=True)
class Witness:
    """`packet` is None if it is not an IP packet."""

    sender: str
    receiver: str
    packet: Shown | None
    opener: Shown | None
    opened_by: str

    @property
    def variants(self) -> "list[Witness]":
        """Return the witness with other ports where the port means nothing: groups choose by ports."""
        return [self, *(self._moved(shift) for shift in range(_VARIANTS))]

    def _moved(self, shift: int) -> "Witness":
        packet = self.packet and replace(self.packet, tuple5=_moved(self.packet.tuple5, shift))
        opener = self.opener and replace(self.opener, tuple5=_moved(self.opener.tuple5, shift))
        return replace(self, packet=packet, opener=opener)


def _moved(tuple5: Tuple5, shift: int) -> Tuple5:
    if tuple5.is_icmp:
        return replace(tuple5, target_port=7 + shift)
    source, target = (
        port if port in _NAMED else 40_000 + shift for port in (tuple5.source_port, tuple5.target_port)
    )
    return replace(tuple5, source_port=source, target_port=target)


def read_witness(violation: Violation) -> Witness:
    opener = read_packet(violation.opener)
    opened_by = opener.rest.removeprefix(" from ") if opener else ""
    return Witness(violation.sender, violation.receiver, read_packet(violation.packet), opener, opened_by)


def read_packet(text: str) -> Shown | None:
    found = _PACKET.match(text)
    if found is None:
        return None
    name, _, number = found["name"].partition(" type ")
    has_ports = name in ("TCP", "UDP") and not found["later"]
    source, source_port = _end(found["source"], has_ports)
    target, target_port = _end(found["target"], has_ports)
    protocol = _PROTOCOLS[name] if name in _PROTOCOLS else int(name.rpartition(" ")[2])
    if number:
        source_port, target_port = int(number) << 8, 7
    tuple5 = Tuple5(protocol, ip_address(source), ip_address(target), source_port, target_port)
    return Shown(tuple5, bool(found["later"]), found["rest"])


def _end(text: str, has_port: bool) -> tuple[str, int]:
    found = _WITH_PORT.match(text) if has_port else None
    return (found["address"], int(found["port"])) if found else (text, 0)
