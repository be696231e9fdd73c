"""Shows with real frames that an alarm of the proof is not a false one: first the opener, then the packet.

What a violation says is sent: its opener, then its packet, in all forms that the words leave open (TCP flags,
MACs, translated or not). If something arrives at the violation's receiver, and the same frames do not make it
arrive on the switches as they should be, the fault lets a frame through.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from random import Random

from controller.pipeline.fields import IpProto
from controller.proof.model import Claim, Violation
from tests.ovs.frames import craft
from tests.ovs.frames.connections import Connection, read_connections
from tests.ovs.frames.craft import ACK, PSH, RST, SYN, Fragment, Tuple5, ip_frame, packet
from tests.ovs.frames.hosts import Cast, Host
from tests.ovs.frames.network import STRANGE_PORT, Arrival, NetworkUnderTest, Sent
from tests.ovs.frames.oddities import Oddities
from tests.ovs.frames.openings import ECHO, Openings
from tests.ovs.frames.witness import Shown, Witness, read_packet, read_witness

_FLAGS = (SYN, SYN | RST, ACK, SYN | ACK, ACK | PSH, RST, 0)
_OPENINGS = 20
_MOST_PACKETS = 80  # for each way to open
_MOST_FRAMES = 800  # for each violation


@dataclass(frozen=True, slots=True)
class Attempt:
    """Frames of which the last one arrived where it must not."""

    opening: tuple[Sent, ...]
    packets: tuple[Sent, ...]
    at: tuple[str, int]
    expires: bool = False  # the pieces of the opening are held too long

    def __str__(self) -> str:
        return " then ".join(frame.what for frame in (*self.opening, self.packets[-1]))


def is_held(violation: Violation) -> bool:
    """Return whether an alarm is about pieces that conntrack holds too long, then lets go of."""
    shown = read_packet(violation.packet)
    is_piece = shown is not None and shown.is_later and "untracked" in shown.rest
    return violation.claim is Claim.HELD_FRAGMENTS or is_piece


class Confirmation:
    """Tries to get a forbidden frame through, as a violation says."""

    def __init__(self, chance: Random, cast: Cast, network: NetworkUnderTest) -> None:
        self._cast, self._network = cast, network
        self._pieces = 1_000  # identification of the last packet in pieces of two senders
        self._openings, self._oddities = Openings(chance, cast), Oddities(chance, cast)
        self._host_by_path = {host.path: host for host in cast.hosts}
        self._host_by_path |= {host.path: host for host in cast.strangers if host.at.port == STRANGE_PORT}

    def attempts(self, violation: Violation) -> Iterator[Attempt]:
        """Yield frames that arrive as the violation says, at most one attempt for each way to open."""
        witness = read_witness(violation)
        sender = self._host_by_path.get(witness.sender)
        if sender is None:
            return
        if violation.is_confirmed and is_held(violation) and witness.packet:
            yield from self._held(witness, sender, witness.packet)
        if witness.packet and witness.packet.is_later:
            yield from islice(self._of_two_senders(witness, sender, witness.packet), 1)
        left = _MOST_FRAMES
        ways = self._ways_to_open(witness)
        while left > 0 and (way := next(ways, None)):
            variant, opening = way
            known = self._open(opening)
            left -= len(opening)
            if opening and not known:
                continue
            sent: list[Sent] = []
            for frame in islice(self._packets(variant, sender, known), _MOST_PACKETS):
                sent.append(frame)
                arrivals = self._network.send_one(frame)
                if at := self._reached(arrivals, sender, variant):
                    yield Attempt(tuple(opening), tuple(sent[-2:]), at)
                    break
            left -= len(sent)

    def _held(self, witness: Witness, sender: Host, shown: Shown) -> Iterator[Attempt]:
        """Let conntrack hold a piece too long, and send what may take it along."""
        pieces = tuple(_whole_or_pieces(sender, shown, SYN))[1:]
        ways = [shown.tuple5, *_both_ways(replace(shown.tuple5, source_port=40_000, target_port=25))]
        followers = [
            _frame(host, tuple5, flags)
            for host in self._cast.hosts
            for tuple5 in ways
            for flags in (SYN, ACK)
        ]
        openings = (self._openings.draw() for _ in range(_OPENINGS))
        followers += [_frame(each.host, each.tuple5, SYN) for each in openings]
        for follower in followers:
            self._open(pieces)
            self._network.let_pieces_expire()
            if at := self._reached(self._network.send_one(follower), sender, witness):
                yield Attempt(pieces, (follower,), at, expires=True)
                return

    def _of_two_senders(self, witness: Witness, sender: Host, shown: Shown) -> Iterator[Attempt]:
        """Complete the sender's piece with one of somebody else: conntrack releases both behind that one."""
        back = replace(shown, tuple5=shown.tuple5.reversed(), is_later=False)
        openings = [(), *(tuple(_whole_or_pieces(host, back, SYN)) for host in self._cast.hosts)]
        others = [host for host in self._cast.hosts if host is not sender]
        for opening, other, first in product(openings, others, (0, 1)):
            self._open(opening)
            self._pieces += 1
            own = list(_whole_or_pieces(sender, shown, SYN, identification=self._pieces))
            completing = list(_whole_or_pieces(other, shown, SYN, identification=self._pieces))
            sent = own[first], completing[1 - first]
            arrivals = [each for frame in sent for each in self._network.send_one(frame)]
            if at := self._reached(arrivals, sender, witness):
                yield Attempt(opening, sent, at)

    def still_arrives(self, attempt: Attempt) -> bool:
        """Return whether the frames of an attempt make one arrive at the same port now."""
        self._open(attempt.opening)
        if attempt.expires:
            self._network.let_pieces_expire()
        arrivals = [each for frame in attempt.packets for each in self._network.send_one(frame)]
        return any((each.at.switch, each.at.port) == attempt.at for each in arrivals)

    def _open(self, opening: Sequence[Sent]) -> list[Connection]:
        self._network.control.forget_connections()
        for frame in opening:
            self._network.send_one(frame)
        return read_connections(self._network.control.connections())

    def _reached(self, arrivals: Sequence[Arrival], sender: Host, witness: Witness) -> tuple[str, int] | None:
        for arrival in arrivals:
            host = self._cast.host_at[arrival.at]
            is_there = host.path == witness.receiver or f"{arrival.at}" == witness.receiver
            if arrival.frame.at == sender.at and is_there:
                return arrival.at.switch, arrival.at.port
        return None

    def _ways_to_open(self, witness: Witness) -> Iterator[tuple[Witness, list[Sent]]]:
        """Yield first packets, and the witness with the same ports: first as it says, then by others."""
        for variant in witness.variants:
            yield from self._as_it_says(variant)
        shown = witness.packet
        if shown is None:
            return
        for variant in witness.variants:
            yield from self._by_anybody(variant, shown)
        for _ in range(_OPENINGS):
            opening = self._openings.draw()
            yield witness, [_frame(opening.host, opening.tuple5, SYN)]

    def _by_anybody(self, witness: Witness, shown: Shown) -> Iterator[tuple[Witness, list[Sent]]]:
        moved = witness.packet or shown
        ways = list(product(_both_ways(moved.tuple5), self._cast.hosts))
        for (tuple5, host), is_later in product(ways, (False, True)):
            yield witness, list(_whole_or_pieces(host, replace(moved, tuple5=tuple5, is_later=is_later), SYN))
        for tuple5, host in ways:
            yield witness, self._shaken_hands(host, tuple5)

    def _likely_macs(self, witness: Witness, sender: Host, known: Sequence[Connection]) -> list[str]:
        """Return the MACs of other hosts: those of a connection's ends first, since flows match them."""
        ends = {mac_of(end) for each in known for end in (each.responder, each.initiator)}
        opener = self._host_by_path.get(witness.opened_by)
        others = [host.mac for host in self._cast.hosts if host is not sender]
        return sorted(others, key=lambda mac: (mac not in ends, opener is None or mac != opener.mac))

    def _as_it_says(self, witness: Witness) -> Iterator[tuple[Witness, list[Sent]]]:
        opener = self._host_by_path.get(witness.opened_by)
        if witness.opener is None or opener is None:
            yield witness, []
            return
        first = self._with_ports(witness.opener, witness.packet)
        yield witness, list(_whole_or_pieces(opener, first, SYN))
        yield witness, self._shaken_hands(opener, first.tuple5)

    def _with_ports(self, opener: Shown, shown: Shown | None) -> Shown:
        """Return an opener with the ports of the packet, if it is a fragment without them."""
        if shown is None or not opener.is_later:
            return opener
        same = [each for each in _both_ways(shown.tuple5) if each.source == opener.tuple5.source]
        return replace(opener, tuple5=same[-1]) if same else opener

    def _shaken_hands(self, opener: Host, tuple5: Tuple5) -> list[Sent]:
        """Return a first packet and its answer by whoever got it, so that the connection is established."""
        answers = [_frame(host, tuple5.reversed(), SYN | ACK) for host in self._cast.hosts]
        return [_frame(opener, tuple5, SYN), *answers]

    def _packets(self, witness: Witness, sender: Host, known: Sequence[Connection]) -> Iterator[Sent]:
        """Yield the packet of the witness in all forms that it may have."""
        shown = witness.packet
        if shown is None:
            return
        connected = [end for each in known for end in (each.original, each.reply)]
        macs = self._likely_macs(witness, sender, known)
        if "error" in shown.rest:
            for tuple5, mac in product((*connected, *_both_ways(shown.tuple5)), (sender.mac, *macs[:2])):
                for frame in (self._oddities.quote(sender, tuple5)[0] for _ in range(4)):
                    yield replace(frame, data=with_source(frame.data, mac))
        receiver = self._host_by_path.get(witness.receiver)
        targets = [sender.edge_mac, *((receiver.mac,) if receiver else ())]
        tuples = list(dict.fromkeys((*_echoes(shown.tuple5), *connected)))
        for source, target, tuple5 in product([sender.mac, *macs], targets, tuples):
            odd = (SYN | RST,) if "invalid" in shown.rest else ()
            flags = _FLAGS if source == sender.mac else (*odd, ACK, SYN)
            for each in flags if tuple5.protocol == IpProto.TCP else (SYN,):
                yield from _whole_or_pieces(sender, replace(shown, tuple5=tuple5), each, (source, target))


def mac_of(number: int) -> str:
    return number.to_bytes(6).hex(":")


def with_source(frame: bytes, mac: str) -> bytes:
    """Return a frame with another source address."""
    return frame[:6] + bytes.fromhex(mac.replace(":", "")) + frame[12:]


def _both_ways(tuple5: Tuple5) -> tuple[Tuple5, ...]:
    return tuple(dict.fromkeys(way for each in _echoes(tuple5) for way in (each.reversed(), each)))


def _echoes(tuple5: Tuple5) -> tuple[Tuple5, ...]:
    """Return an ICMP packet also as an echo request: conntrack does not know most other types."""
    if not tuple5.is_icmp:
        return (tuple5,)
    request = replace(tuple5, source_port=ECHO[tuple5.version])
    return tuple5, request, replace(request, source_port=request.reversed().source_port)


def _whole_or_pieces(
    host: Host,
    shown: Shown,
    flags: int,
    macs: tuple[str, str] | None = None,
    identification: int = 99,
) -> Iterator[Sent]:
    numbers = (5_000, 1_001) if flags & ACK else (1_000, 0)
    body = craft.body_of(shown.tuple5, flags, *numbers)
    what = f"{shown.tuple5} by {host.path}"
    if not shown.is_later:
        yield Sent(host.at, ip_frame(macs or host.macs, packet(shown.tuple5, body)), what)
        return
    body = _long_body(shown.tuple5, flags)
    for start, end, more in ((0, 1_288, True), (1_288, len(body), False)):
        part = packet(shown.tuple5, body[start:end], Fragment(start, more, identification))
        yield Sent(host.at, ip_frame(macs or host.macs, part), f"{what}, in pieces")


def _long_body(tuple5: Tuple5, flags: int) -> bytes:
    data = bytes(1_400)
    if tuple5.protocol == IpProto.TCP:
        return craft.segment(tuple5, flags, 1_000, 0, data)
    if tuple5.protocol == IpProto.UDP:
        return craft.datagram(tuple5, data)
    return craft.icmp(tuple5, data) if tuple5.is_icmp else data


def _frame(host: Host, tuple5: Tuple5, flags: int) -> Sent:
    (frame,) = _whole_or_pieces(host, Shown(tuple5, False, ""), flags)
    return frame
