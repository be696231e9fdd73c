"""Asks the proof whether it has foreseen a real arrival: this packet, of this sender, at this port."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from controller.pipeline.fields import VLAN_PRESENT, IpProto
from controller.policy.model import PortRef
from controller.proof import dims
from controller.proof.arrivals import Arrivals
from controller.proof.dims import Box
from controller.proof.flows import ip_prefix
from controller.proof.space import PIECES, WHOLE
from tests.ovs.frames.craft import Tuple5
from tests.ovs.frames.dissect import Seen
from tests.ovs.frames.hosts import Host
from tests.ovs.frames.relations import NO_CONNECTION, Relation

Conditions = tuple[tuple[int, int], ...]
_WITH_PORTS = (IpProto.TCP, IpProto.UDP, 132)


class Foresight:
    """What a proof says may arrive."""

    def __init__(self, arrivals: Arrivals, lets_pieces_out: bool = False) -> None:
        """`lets_pieces_out`: the proof says that held fragments may leave anywhere."""
        self._lets_pieces_out = lets_pieces_out
        self._space, self._narrower = arrivals.space, arrivals.narrower
        self._leaks = arrivals.leaks
        self._boxes = arrivals.boxes
        self._by_sender: dict[tuple[str, int], dict[int, list[Box]]] = {}

    def foresees(self, sender: Host, at: PortRef, seen: Seen, relations: Iterable[Relation]) -> bool:
        """Return whether a frame that left a port was foreseen, in any of its relations to connections."""
        if self._leaks or (self._lets_pieces_out and (seen.is_first or seen.is_later)):
            return True
        boxes = self._boxes_of(sender, at)
        facts = (*self._sender(sender), *self._macs(seen))
        kinds = list(self._packets(seen))
        return any(
            self._meets(boxes, (*facts, *packet, *self._relation(relation)))
            for relation in relations
            for packet in kinds
        )

    def ports_of(self, sender: Host, sent: Seen, ports: Iterable[PortRef]) -> set[PortRef]:
        """Return the ports at which a first packet may arrive, with whatever MACs."""
        facts = (*self._sender(sender), *self._relation(NO_CONNECTION))
        return {
            port
            for packet in self._packets(sent)
            for port in ports
            if self._meets(self._boxes_of(sender, port), (*facts, *packet))
        }

    def _meets(self, boxes: Sequence[Box], conditions: Conditions) -> bool:
        return any(self._narrower.intersect(box, conditions) is not None for box in boxes)

    def _boxes_of(self, sender: Host, at: PortRef) -> Sequence[Box]:
        """Return the boxes at a port that hold packets of a sender."""
        port = at.switch, at.port
        found = self._by_sender.get(port)
        if found is None:
            found = self._by_sender[port] = defaultdict(list)
            # A frame that goes everywhere also leaves by ports that nobody names.
            everywhere = () if port in self._space.sender_by_port else self._boxes.get((at.switch, -1), ())
            for box in (*self._boxes.get(port, ()), *everywhere):
                for place in range(len(self._space.senders)):
                    if box[dims.SENDER] >> place & 1:
                        found[place].append(box)
        return found.get(self._place(sender), ())

    def _place(self, sender: Host) -> int:
        paths = [each.path for each in self._space.senders]
        return self._space.sender_by_port.get((sender.at.switch, sender.at.port)) or paths.index(sender.path)

    def _sender(self, sender: Host) -> Conditions:
        return ((dims.SENDER, 1 << self._place(sender)),)

    def _relation(self, relation: Relation) -> Conditions:
        mode = ((dims.MODE, relation.modes),)
        if relation.ends is None:
            return mode
        responder, initiator = map(self._mac, relation.ends)
        return (*mode, (dims.RESPONDER, responder), (dims.INITIATOR, initiator))

    def _macs(self, seen: Seen) -> Conditions:
        vlan = VLAN_PRESENT | seen.tags[0] if seen.tags else 0
        tags = (dims.VLAN, self._space.atom(dims.VLAN, vlan))
        if seen.is_first or seen.is_later:
            return (tags,)  # conntrack holds pieces: one may carry the MAC that was chosen for another
        return tags, (dims.ETH_SRC, self._mac(seen.source_mac)), (dims.ETH_DST, self._mac(seen.target_mac))

    def _packets(self, seen: Seen) -> Iterator[Conditions]:
        """Yield what a frame may be for the proof: a piece shows no ports, or counts as its whole packet."""
        tuple5 = seen.tuple5
        eth_type = (dims.ETH_TYPE, self._space.atom(dims.ETH_TYPE, seen.eth_type))
        if tuple5 is None:
            yield (eth_type,)
            return
        ends = (eth_type, *self._addresses(tuple5))
        protocol = (dims.PROTO, self._space.atom(dims.PROTO, tuple5.protocol))
        if seen.is_first or seen.is_later:
            # A later piece of IPv6 shows the fragment header in place of the protocol.
            yield (*ends, (dims.FRAGMENT, PIECES))
        ports = () if seen.is_later else self._ports(tuple5)
        yield *ends, protocol, (dims.FRAGMENT, WHOLE), *ports

    def _addresses(self, tuple5: Tuple5) -> Conditions:
        return tuple(
            (dim, self._space.atom(dim, ip_prefix(each.version, int(each), each.max_prefixlen)[0]))
            for dim, each in ((dims.IP_SRC, tuple5.source), (dims.IP_DST, tuple5.target))
        )

    def _ports(self, tuple5: Tuple5) -> Conditions:
        atom = self._space.atom
        if tuple5.is_icmp:
            kind, code = divmod(tuple5.source_port, 256)
            return (dims.ICMP_TYPE, atom(dims.ICMP_TYPE, kind)), (dims.ICMP_CODE, atom(dims.ICMP_CODE, code))
        if tuple5.protocol not in _WITH_PORTS:
            return ()
        return (
            (dims.SPORT, atom(dims.SPORT, tuple5.source_port)),
            (dims.DPORT, atom(dims.DPORT, tuple5.target_port)),
        )

    def _mac(self, mac: int) -> int:
        return self._space.atom(dims.ETH_SRC, mac)
