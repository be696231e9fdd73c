"""Follows all packets at once, as boxes, through all tables of all switches, until nothing new appears.

The engine only ever adds packets: where it does not know, it assumes that a packet may pass. `sessions`
says how packets of known connections go on; `claims` judges what arrives.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush

from controller.pipeline.fields import VLAN_PRESENT, EthType
from controller.policy.model import PortRef
from controller.proof import dims, modes
from controller.proof import flows as f
from controller.proof.atoms import places
from controller.proof.boxes import Narrower
from controller.proof.budget import Budget
from controller.proof.dims import FLAGS, TIES, Box
from controller.proof.flows import HeldFlows, NeutralFlow, Operation, Track
from controller.proof.found import Found, Leak, LookUp
from controller.proof.joins import Joiner
from controller.proof.learned import learned_by
from controller.proof.space import NO_MAC, PIECES, WHOLE, Space, trunk_ends
from controller.proof.tables import Tables
from controller.proof.ties import Ties

_MOST_NESTED = 16
_REGISTERS = (dims.ROLE, dims.PARTY, dims.LEG, dims.POOL, dims.TREATMENT)
_OF_SWITCH = (*_REGISTERS, dims.CT_ZONE, dims.CT_STATE, dims.LABEL_R, dims.LABEL_I, dims.IN_PORT)
_OF_LOOK_UP = (dims.CT_ZONE, dims.CT_STATE, dims.LABEL_R, dims.LABEL_I, dims.CT_PROTO, dims.CT_DPORT)
_ALL_BITS = (1 << dims.MASKS) - 1
_DST_FLAGS = dims.DST_IS_RESPONDER | dims.DST_IS_INITIATOR
_LOST_FLAGS = {
    dims.ETH_DST: _DST_FLAGS,
    dims.RESPONDER: dims.DST_IS_RESPONDER | dims.LABEL_IS_ENDS,
    dims.INITIATOR: dims.DST_IS_INITIATOR | dims.LABEL_IS_ENDS,
    dims.LABEL_R: dims.LABEL_IS_ENDS,
    dims.LABEL_I: dims.LABEL_IS_ENDS,
    dims.CT_STATE: dims.STATE_IS_OF_MODE,
    dims.MODE: dims.STATE_IS_OF_MODE,
    dims.CT_PROTO: dims.CT_IS_OWN,
    dims.CT_DPORT: dims.CT_IS_OWN,
    dims.PROTO: dims.CT_IS_OWN,
    dims.DPORT: dims.CT_IS_OWN,
}
_ONWARD = (f.Visit, f.Goto)
_MAY_TRACK = (f.Visit, f.Goto, f.VisitGroup, f.Fork, Track)


class Engine:
    def __init__(self, space: Space, switches: Mapping[str, HeldFlows]) -> None:
        self.space, self.ties, self.found = space, Ties(), Found()
        self.narrower, self.joiner = Narrower(space, self.ties), Joiner(space, self.ties)
        self.budget = Budget(sum(len(switch.flows) for switch in switches.values()))
        self._switches, self.tables = switches, Tables(space, switches)
        self._tracked = 0  # how often a ct() was carried out
        self._trunks: dict[tuple[str, int], PortRef] = trunk_ends(space.policy)
        self._pending: dict[tuple[int, str], dict[Box, None]] = {}
        self._queue: list[tuple[int, str]] = []
        self._seen: dict[tuple[int, str], set[Box]] = defaultdict(set)
        self._in_ports = space.domain(dims.IN_PORT).masks
        self._no_ct = space.value(dims.CT_PROTO, 0), space.value(dims.CT_DPORT, 0)
        self._no_mac = space.value(dims.ETH_SRC, NO_MAC)
        self._fresh = (
            *((dim, space.value(dim, 0)) for dim in (*_REGISTERS, dims.CT_ZONE)),
            (dims.CT_STATE, modes.UNTRACKED_STATE),
            (dims.LABEL_R, self._no_mac), (dims.LABEL_I, self._no_mac),
            (dims.CT_PROTO, self._no_ct[0]), (dims.CT_DPORT, self._no_ct[1]),
        )  # fmt: skip

    def start(self) -> None:
        """Let every sender send every packet."""
        space = self.space
        named: dict[str, int] = defaultdict(int)
        for sender in space.senders:
            if sender.neighbour:
                named[sender.switch] |= space.value(dims.IN_PORT, sender.port)
        for switch, port in self._trunks:
            named[switch] |= space.value(dims.IN_PORT, port)
        for place, sender in enumerate(space.senders):
            box = [*space.everything, 0, 0]
            box[dims.SENDER] = 1 << place
            port = space.value(dims.IN_PORT, sender.port) if sender.neighbour else 0
            box[dims.IN_PORT] = port or space.everything[dims.IN_PORT] & ~named[sender.switch]
            self._reset(box)
            for fresh in self._kinds_of_packets(box):
                self.add(sender.switch, 0, fresh)

    def _reset(self, box: list[int]) -> None:
        """A switch has not yet looked at this packet."""
        for dim, mask in self._fresh:
            box[dim] = mask

    def _kinds_of_packets(self, box: list[int]) -> Iterable[Box]:
        space = self.space
        box[dims.MODE] = modes.UNTRACKED
        box[dims.RESPONDER] = box[dims.INITIATOR] = self._no_mac
        ip = space.value(dims.ETH_TYPE, EthType.IPV4) | space.value(dims.ETH_TYPE, EthType.IPV6)
        others = box.copy()
        others[dims.ETH_TYPE] &= ~ip
        others[dims.FRAGMENT] = WHOLE
        box[dims.ETH_TYPE] = ip
        box[dims.IP_SRC] = box[dims.IP_DST] = space.version(4) | space.version(6)
        for each in (box, others):
            self.narrower.narrow(each, _ALL_BITS)
            yield tuple(each)

    def add(self, switch: str, table: int, box: Box) -> None:
        """Let a box wait for a table, unless it has been there."""
        key = table, switch
        waiting = self._pending.get(key)
        if waiting is None:
            waiting = self._pending[key] = {}
            heappush(self._queue, key)
        waiting[box] = None

    def drain(self) -> None:
        """Follow all waiting packets, lower tables first, until none is left."""
        while self._queue:
            key = heappop(self._queue)
            table, switch = key
            boxes: Iterable[Box] = self._pending.pop(key)
            seen, index, carry = self._seen[key], self.tables.of(switch, table), self._carrier(switch)
            for box in self.joiner.join(each for each in boxes if index.may_match(each)):
                if box not in seen:
                    seen.add(box)
                    index.split(box, self.narrower, carry)

    def _carrier(self, switch: str) -> Callable[[Box, NeutralFlow], None]:
        def carry(box: Box, flow: NeutralFlow) -> None:
            self.budget.meet(switch, flow)
            self._carry([box], flow.operations, switch, flow, -1)

        return carry

    def _carry(
        self, boxes: list[Box], operations: tuple[Operation, ...], switch: str, flow: NeutralFlow, depth: int
    ) -> list[Box]:
        """Carry out operations; return what the packets have become. `depth` -1: the result is not used."""
        last = len(operations) - 1
        for place, each in enumerate(operations):
            rest = operations[place + 1 :] if place < last and isinstance(each, _MAY_TRACK) else ()
            before, tracked = boxes, self._tracked
            if isinstance(each, _ONWARD):
                if depth < 0 and place == last:
                    for box in boxes:
                        self.add(switch, each.table, box)
                    return []
                boxes = [
                    after for box in boxes for after in self._visit(box, each.table, switch, max(depth, 0))
                ]
                boxes = list(dict.fromkeys(boxes))
            else:
                at_once = max(depth, 0) if f.may_leave(rest) else depth
                boxes = [self._step(box, each, switch, flow, at_once) for box in boxes]
            if self._tracked != tracked and not f.is_copied(each) and f.may_leave(rest):
                self._note_held(before, switch, flow)
        return boxes

    def _note_held(self, boxes: list[Box], switch: str, flow: NeutralFlow) -> None:
        """Something leaves behind a ct(), in the same list of actions of the switch."""
        what = "fragments that conntrack holds would leave with this packet"
        self.found.held += [Leak(switch, flow, what, box) for box in boxes]

    def _visit(self, box: Box, table: int, switch: str, depth: int) -> list[Box]:
        """Look a packet up in a table at once; a packet that no flow there matches goes on as it is."""
        becomes = [box]
        flows: list[tuple[Box, NeutralFlow]] = []
        self.tables.of(switch, table).split(box, self.narrower, lambda hit, flow: flows.append((hit, flow)))
        for hit, flow in flows:
            self.budget.meet(switch, flow)
            if depth >= _MOST_NESTED:
                self.found.leaks.append(Leak(switch, flow, "tables visited too often", hit))
            else:
                becomes += self._carry([hit], flow.operations, switch, flow, depth + 1)
        return becomes

    def _step(  # noqa: C901 (one case for each operation)
        self, box: Box, operation: Operation, switch: str, flow: NeutralFlow, depth: int
    ) -> Box:
        """Carry out one operation that yields one packet."""
        match operation:
            case f.SetTo(dim, value):
                return self.written(box, dim, self.space.value(dim, value))
            case f.Forget(dim):
                return self.written(box, dim, self.space.everything[dim])
            case f.Copy(of, to):
                return self._copied(box, of, to)
            case f.Send(port):
                self._send(box, switch, port)
            case f.SendBack():
                self._send_back(box, switch)
            case f.SendAll():
                self._send_all(box, switch)
            case f.VisitGroup(number):
                self._to_group(box, number, switch, flow, depth)
            case f.Fork(operations):
                self._carry([box], operations, switch, flow, depth)
            case f.Track():
                return self._track(box, operation, switch, flow)
            case f.Untrack():
                return tuple(self.untracked(box))
            case f.AddTag():
                tagged = self.written(box, dims.INNER_VLAN, box[dims.VLAN])
                return self.written(tagged, dims.VLAN, self.space.value(dims.VLAN, VLAN_PRESENT))
            case f.RemoveTag():
                popped = self.written(box, dims.VLAN, box[dims.INNER_VLAN])
                return self.written(popped, dims.INNER_VLAN, self.space.everything[dims.INNER_VLAN])
            case f.Teach(sends_back=True):
                taught = learned_by(self.space, self.narrower, box, operation, flow)
                self.found.taught[switch].update(dict.fromkeys(taught))
            case f.Unknown(what):
                self.found.leaks.append(Leak(switch, flow, what, box))
        return box

    def written(self, box: Box, dim: int, mask: int) -> Box:
        """Return a box after a dimension was written."""
        changed = list(box)
        self.write(changed, dim, mask)
        return tuple(changed)

    def write(self, box: list[int], dim: int, mask: int) -> None:
        box[dim] = mask
        lost = _LOST_FLAGS.get(dim)
        if lost:
            box[FLAGS] &= ~lost
        if box[TIES]:
            box[TIES] = self.ties.without(box[TIES], dim)

    def _copied(self, box: Box, of: int, to: int) -> Box:
        copied = list(self.written(box, to, box[of]))
        if to == dims.ETH_DST and box[FLAGS] & dims.LABEL_IS_ENDS:
            flags = {dims.LABEL_R: dims.DST_IS_RESPONDER, dims.LABEL_I: dims.DST_IS_INITIATOR}
            copied[FLAGS] |= flags.get(of, 0)
        return tuple(copied)

    def untracked(self, box: Box) -> list[int]:
        """Forget what the last look-up found; what it says of the packet itself has narrowed the box."""
        fresh = list(box)
        self.narrower.narrow(fresh, _ALL_BITS)
        for dim, mask in self._fresh[len(_REGISTERS) :]:
            fresh[dim] = mask
        fresh[FLAGS] &= ~(dims.LABEL_IS_ENDS | dims.STATE_IS_OF_MODE | dims.CT_IS_OWN)
        fresh[TIES] = self.ties.without_all(fresh[TIES], _OF_LOOK_UP)
        return fresh

    def _send(self, box: Box, switch: str, port: int) -> None:
        """Out of a port; a switch does not send a packet out of the port that it came in by."""
        known = self._in_ports.get((port, 32))
        outside = [(dims.IN_PORT, ~known)] if known is not None else []
        sent = self.narrower.intersect(box, outside)
        if sent is not None:
            self._leave(sent, switch, port)

    def _leave(self, box: Box, switch: str, port: int) -> None:
        far = self._trunks.get((switch, port))
        if far is None:
            self.found.arrivals[switch, port].append(box)
            return
        moved = list(box)
        if not self.narrower.narrow(moved, _ALL_BITS):
            return
        self._reset(moved)
        moved[dims.IN_PORT] = self.space.value(dims.IN_PORT, far.port)
        moved[FLAGS] &= _DST_FLAGS
        moved[TIES] = self.ties.without_all(moved[TIES], _OF_SWITCH)
        self.add(far.switch, 0, tuple(moved))

    def _send_back(self, box: Box, switch: str) -> None:
        prefixes = self.space.domain(dims.IN_PORT).prefixes
        for atom in places(box[dims.IN_PORT]):
            port, length = prefixes[atom]
            back = self.narrower.intersect(box, [(dims.IN_PORT, 1 << atom)])
            if back is not None and (port or not length):
                self._leave(back, switch, port if length else -1)

    def _send_all(self, box: Box, switch: str) -> None:
        ports = {port for name, port in self.space.sender_by_port if name == switch}
        ports |= {port for name, port in self._trunks if name == switch}
        for port in (*sorted(ports), -1):
            self._send(box, switch, port)

    def _to_group(self, box: Box, number: int, switch: str, flow: NeutralFlow, depth: int) -> None:
        buckets = self._switches[switch].groups.get(number)
        if buckets is None or depth > _MOST_NESTED:
            self.found.leaks.append(Leak(switch, flow, f"group {number}, which was not read", box))
            return
        in_turn = number in self._switches[switch].all_groups and len(buckets) > 1
        tracked = self._tracked
        for bucket in buckets:
            if in_turn and self._tracked != tracked and f.may_leave(bucket):
                self._note_held([box], switch, flow)
            self._carry([box], bucket, switch, flow, -1 if depth < 0 and not in_turn else depth + 1)

    def _track(self, box: Box, track: Track, switch: str, flow: NeutralFlow) -> Box:
        self._tracked += 1
        if track.then is not None:
            self.found.behind_ct[switch, track.then] = None
        if track.commits:
            self.found.commits[track.zone][box, track] = None
            if track.then is not None:
                for each in self._translated(self._committed(box, track), box, track.translation):
                    self.add(switch, track.then, each)
        elif track.then is not None:
            self.look_up(self._reassembled(box), LookUp(switch, track.zone, track.then, track.translation))
        return tuple(self.untracked(box))

    def look_up(self, box: Box, lookup: LookUp) -> None:
        """Note a look-up, and let the packets go on that have no connection yet."""
        self.found.lookups[lookup][self._as_if_new(box)] = None
        self.add(lookup.switch, lookup.then, self._unknown_connection(box, lookup.zone))

    def _as_if_new(self, box: Box) -> Box:
        """Return a box as before its first look-up: what that found plays no part in the next one."""
        fresh = self.untracked(box)
        for dim in (dims.RESPONDER, dims.INITIATOR):
            self.write(fresh, dim, self._no_mac)
        fresh[dims.MODE] = modes.UNTRACKED
        return tuple(fresh)

    def _committed(self, box: Box, track: Track) -> Box:
        """Return a packet behind a ct(commit) that goes on in a table: its label is the new one, or none."""
        fresh = self.untracked(box)
        for dim, half in ((dims.LABEL_R, track.responder), (dims.LABEL_I, track.initiator)):
            self.write(fresh, dim, self.half_label(box, half) | self._no_mac)
        self.write(fresh, dims.CT_ZONE, self.space.value(dims.CT_ZONE, track.zone))
        self.write(fresh, dims.CT_STATE, self.space.everything[dims.CT_STATE] & ~modes.UNTRACKED_STATE)
        for dim in (dims.CT_PROTO, dims.CT_DPORT):
            self.write(fresh, dim, self.space.everything[dim])
        return tuple(fresh)

    def half_label(self, box: Box, half: f.HalfLabel) -> int:
        """Return the mask that a commit writes into one half of a label."""
        if half.of is not None:
            return box[half.of]
        everything = self.space.everything[dims.LABEL_R]
        return everything if half.value is None else self.space.value(dims.LABEL_R, half.value)

    def _unknown_connection(self, box: Box, zone: int) -> Box:
        fresh = self.untracked(box)
        for dim in (dims.RESPONDER, dims.INITIATOR):
            self.write(fresh, dim, self._no_mac)
        self.write(fresh, dims.CT_ZONE, self.space.value(dims.CT_ZONE, zone))
        self.write(fresh, dims.CT_STATE, modes.NEW_STATES)
        self.write(fresh, dims.MODE, modes.NEW)
        self.write(fresh, dims.CT_PROTO, self.space.everything[dims.CT_PROTO])
        self.write(fresh, dims.CT_DPORT, self.space.everything[dims.CT_DPORT] & ~self.space.no_port)
        fresh[FLAGS] |= dims.LABEL_IS_ENDS | dims.STATE_IS_OF_MODE | dims.CT_IS_OWN
        self.narrower.narrow(fresh, _ALL_BITS)
        return tuple(fresh)

    def _reassembled(self, box: Box) -> Box:
        """Behind a ct(), fragments are still fragments, or the whole packet, with its ports and protocol."""
        narrowed = list(box)
        if not self.narrower.narrow(narrowed, _ALL_BITS) or not narrowed[dims.FRAGMENT] & PIECES:
            return box
        for dim in (dims.FRAGMENT, dims.SPORT, dims.DPORT, dims.ICMP_TYPE, dims.ICMP_CODE):
            self.write(narrowed, dim, self.space.everything[dim])
        if narrowed[dims.PROTO] & self.space.hidden_proto:
            self.write(narrowed, dims.PROTO, self.space.everything[dims.PROTO])
        return tuple(narrowed)

    def _translated(self, box: Box, before: Box, translation: f.Translation | None) -> Iterable[Box]:
        """Yield what a packet may be behind a translating ct(commit); an invalid one stays as it is."""
        if translation is None:
            yield box
        elif translation.source:
            source = self.space.domains[dims.IP_SRC].masks[translation.source]
            changed = self.written(
                self.written(box, dims.IP_SRC, source), dims.SPORT, self.space.everything[dims.SPORT]
            )
            yield changed
            if self.narrower.intersect(before, [(dims.CT_STATE, modes.INVALID_STATES)]) is not None:
                yield box
        else:
            yield self.anywhere(box)
            yield box

    def anywhere(self, box: Box) -> Box:
        """Return a box after an address translation that is not known."""
        versions = self.space.versions_of(box[dims.ETH_TYPE])
        for dim in (dims.IP_SRC, dims.IP_DST):
            box = self.written(box, dim, versions)
        for dim in (dims.SPORT, dims.DPORT):
            box = self.written(box, dim, self.space.everything[dim])
        return box
