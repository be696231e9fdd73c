"""Connections that switches know, from what `ovs-appctl dpctl/dump-conntrack -m` prints. Pure.

The label of a connection names both ends (`pipeline.fields`). Connections that have
ended, and that conntrack only remembers for a while, are not open.

With `-m`, Open vSwitch prints the state of each end. Without it, Open vSwitch prints only a summary, which
calls a connection ESTABLISHED even if its initiator never confirmed it; any host can forge such connections.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from controller.pipeline.fields import (
    LABEL_INITIATOR,
    LABEL_RESPONDER,
    MAC_BITS,
    Zone,
)
from controller.pipeline.zones import leg_number
from controller.policy.model import Address

# On the relay leg the responder is the tenant's server.
_COUNTED = {Zone.OUTSIDE, Zone.SCAN, Zone.UPDATE, Zone.CLIENT}
# States of an end (Open vSwitch's ct_dpif_tcp_state). In its own conntrack, an end is CLOSED until it sends;
# both are FIN_WAIT_2 after a normal close, and TIME_WAIT after a reset. The kernel has one state for both.
_ENDED = frozenset({"CLOSING", "LAST_ACK", "FIN_WAIT_2", "TIME_WAIT"})
_OPENING = frozenset({"CLOSED", "LISTEN", "SYN_SENT", "SYN_RECV"})
_UNANSWERED = (("SYN_SENT", "CLOSED"), ("SYN_SENT", "SYN_SENT"))
_REMEMBERED = ("state_reply=TIME_WAIT", "state_reply=FIN_WAIT_2")  # of most connections that have ended
LOOK_S = 1.0
# Twenty times the cost: the switch is blocked while it lists a line, and we parse the open connections.
_LOOK_S_A_LINE, _LOOK_S_A_SESSION = 0.0001, 0.0003
_BEGIN = "tcp,orig=(src="
_ORIGINAL = re.compile(r"^tcp,orig=\(src=([^,]+),dst=([^,]+),sport=(\d+),dport=(\d+)\)")
_ZONE = re.compile(r"\bzone=(\d+)")
_LABEL = re.compile(r"\blabels=0x([0-9a-f]{1,32})\b")
_STATES = re.compile(r"\bstate_orig=([A-Z0-9_]+),state_reply=([A-Z0-9_]+)")


@dataclass(frozen=True, slots=True)
class Connection:
    """One TCP connection, in the direction in which it was begun; MACs as numbers."""

    zone: int
    source: Address
    source_port: int
    destination: Address
    destination_port: int
    initiator: int
    responder: int
    is_open: bool = True
    is_answered: bool = True  # the responder has sent a packet
    is_established: bool = True  # each end has confirmed the other's SYN (RFC 9293, 3.5)

    @property
    def leg(self) -> int:
        """A `Zone`, or the number of a zone that is not ours."""
        return leg_number(self.zone)


@dataclass(frozen=True, slots=True)
class Counts:
    """Open sessions, and handshakes whose initiator has not confirmed yet, by the MAC of a member.

    `relayed`: the second halves of mail sessions, from a gateway of the edge to a tenant's server, by the MAC
    of the tenant's own gateway.
    """

    sessions: Mapping[str, int]
    handshakes: Mapping[str, int] = field(default_factory=dict)
    relayed: Mapping[str, int] = field(default_factory=dict)


def read_connections(lines: Iterable[str]) -> Iterator[Connection]:
    """Yield the TCP connections that have a label; other lines are ignored."""
    for line in lines:
        ends, zone, label, states = (pattern.search(line) for pattern in (_ORIGINAL, _ZONE, _LABEL, _STATES))
        if ends and zone and label and states:
            both = int(label[1], 16)
            of_ends = (states[1], states[2])
            yield Connection(
                int(zone[1]),
                ip_address(ends[1]),
                int(ends[3]),
                ip_address(ends[2]),
                int(ends[4]),
                _mac(both, LABEL_INITIATOR),
                _mac(both, LABEL_RESPONDER),
                is_open=_ENDED.isdisjoint(of_ends),
                is_answered=of_ends not in _UNANSWERED,
                is_established=_OPENING.isdisjoint(of_ends),
            )


def without_ended(lines: Iterable[str]) -> list[str]:
    """Return the lines without ended connections that conntrack still remembers, which may be very many."""
    return [line for line in lines if not any(state in line for state in _REMEMBERED)]


def pause_after(listed: int, still_open: int) -> float:
    """Return the seconds until the next look, given how many lines were listed and how many are open."""
    return max(LOOK_S, _LOOK_S_A_LINE * listed + _LOOK_S_A_SESSION * still_open)


def open_by_source(lines: Sequence[str], least: int) -> dict[Address, int]:
    """Return how many open TCP connections from outside each source has, if at least `least`.

    The switch's list is long, so only the lines of sources that occur often enough are parsed.
    """
    often = {source for source, count in Counter(map(_source_text, lines)).items() if count >= least}
    often.discard("")
    connections = read_connections(line for line in lines if _source_text(line) in often) if often else ()
    counts = Counter(each.source for each in connections if each.is_open and each.leg == Zone.OUTSIDE)
    return {source: count for source, count in counts.items() if count >= least}


def _source_text(line: str) -> str:
    return line[len(_BEGIN) :].partition(",")[0] if line.startswith(_BEGIN) else ""


def _mac(label: int, offset: int) -> int:
    return (label >> offset) & ((1 << MAC_BITS) - 1)


def count_sessions(lines: Iterable[str]) -> Counts:
    """Return the counts of members, by their MACs: members are the responders.

    A half-open connection does not count as a session, so that forged packets cannot fill a member.
    """
    sessions, handshakes, relayed = Counter[str](), Counter[str](), Counter[str]()
    for connection in read_connections(lines):
        if not (connection.is_open and connection.is_answered):
            continue
        responder = connection.responder.to_bytes(6).hex(":")
        if connection.leg in _COUNTED:
            kind = sessions if connection.is_established else handshakes
            kind[responder] += 1
        elif connection.leg == Zone.RELAY and connection.is_established:
            relayed[responder] += 1
    return Counts(sessions, handshakes, relayed)
