"""Packets and flows in words, for those who read a violation."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address

from controller.pipeline.fields import EthType, IpProto
from controller.pipeline.show import mac_text
from controller.proof import dims
from controller.proof import flows as f
from controller.proof.flows import BitsCriterion, FieldCriterion, NeutralFlow, Operation
from controller.proof.oxm import BITS
from controller.proof.space import NO_PORT

_PROTOS = {IpProto.TCP: "TCP", IpProto.UDP: "UDP", IpProto.ICMP: "ICMP", IpProto.ICMPV6: "ICMPv6"}
_MACS = (dims.ETH_SRC, dims.ETH_DST, dims.LABEL_R, dims.LABEL_I)
_ADDRESSES = (dims.IP_SRC, dims.IP_DST)


def describe(values: Mapping[int, int] | Sequence[int]) -> str:
    """Return a packet in words: `TCP 198.51.100.10:1111 -> 203.0.113.10:25`. Values are by dimension."""
    if values[dims.ETH_TYPE] not in (EthType.IPV4, EthType.IPV6):
        return f"ethertype {values[dims.ETH_TYPE]:#06x}"
    proto = values[dims.PROTO]
    name = _PROTOS[IpProto(proto)] if proto in tuple(IpProto) else f"IP protocol {proto}"
    source, target = address_text(values[dims.IP_SRC]), address_text(values[dims.IP_DST])
    if values[dims.SPORT] == NO_PORT:
        return f"{name} {source} -> {target} (a later fragment)"
    if proto in (IpProto.TCP, IpProto.UDP):
        source, target = _with_port(source, values[dims.SPORT]), _with_port(target, values[dims.DPORT])
    elif proto in (IpProto.ICMP, IpProto.ICMPV6):
        name = f"{name} type {values[dims.ICMP_TYPE]}"
    return f"{name} {source} -> {target}"


def address_text(value: int) -> str:
    """Return an address in the common space of both versions as text."""
    number = value & (1 << 128) - 1
    return str(IPv4Address(number >> 96)) if value >> 128 == 4 else str(IPv6Address(number))


def _with_port(text: str, port: int) -> str:
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


def flow_text(flow: NeutralFlow) -> str:
    """Return a flow in words: what it matches, and what it does."""
    wanted = " ".join(map(_criterion, flow.criteria)) or "anything"
    does = ", ".join(map(_operation, flow.operations)) or "drop"
    more = " and more" if flow.is_vague else ""
    return flow.text or f"{wanted}{more} -> {does}"


def _criterion(criterion: FieldCriterion | BitsCriterion) -> str:
    name = dims.NAMES[criterion.dim]
    if isinstance(criterion, BitsCriterion):
        return f"{name}={criterion.value:#x}/{criterion.mask:#x}"
    text = f"{name}={_value(criterion.dim, criterion.value)}"
    if criterion.length == BITS[criterion.dim] or (criterion.dim in _ADDRESSES and criterion.length == 35):
        return text
    return f"{text}/{criterion.length - 3 if criterion.dim in _ADDRESSES else criterion.length}"


def _value(dim: int, value: int) -> str:
    if dim in _MACS:
        return mac_text(value)
    if dim in _ADDRESSES:
        return address_text(value)
    return f"{value:#x}" if dim in (dims.PARTY, dims.ETH_TYPE) else str(value)


def _operation(operation: Operation) -> str:  # noqa: C901 (one case for each operation)
    match operation:
        case f.SetTo(dim, value):
            return f"{dims.NAMES[dim]}:={_value(dim, value)}"
        case f.Copy(of, to):
            return f"{dims.NAMES[to]}:={dims.NAMES[of]}"
        case f.Forget(dim):
            return f"{dims.NAMES[dim]}:=?"
        case f.Send(port):
            return f"port {port}"
        case f.SendBack():
            return "back out"
        case f.SendAll():
            return "any port"
        case f.VisitGroup(number):
            return f"group {number}"
        case f.Visit(table) | f.Goto(table):
            return f"table {table}"
        case f.Track(zone=zone, commits=commits):
            return f"{'commit' if commits else 'look up'} in zone {zone}"
        case f.Unknown(what):
            return what
    return type(operation).__name__.lower()
