"""Arithmetic of boxes: intersection, difference, exact unions, and narrowing by what is known of a packet."""

from collections.abc import Iterable, Iterator, Sequence

from controller.pipeline.fields import EthType
from controller.proof import modes
from controller.proof.atoms import places
from controller.proof.dims import (
    CT_DPORT,
    CT_IS_OWN,
    CT_PROTO,
    CT_STATE,
    DPORT,
    DST_IS_INITIATOR,
    DST_IS_RESPONDER,
    ETH_DST,
    ETH_TYPE,
    FLAGS,
    FRAGMENT,
    ICMP_TYPE,
    INITIATOR,
    IP_DST,
    IP_SRC,
    LABEL_I,
    LABEL_IS_ENDS,
    LABEL_R,
    MODE,
    PROTO,
    RESPONDER,
    SENDER,
    SPORT,
    STATE_IS_OF_MODE,
    TIES,
    Box,
)
from controller.proof.rules import Rule, limit
from controller.proof.space import LATER, PIECES, WHOLE, Space
from controller.proof.ties import Ties

Limits = Sequence[tuple[int, int]]  # dimensions and masks
_MAC_BITS = 1 << ETH_DST | 1 << LABEL_R | 1 << LABEL_I | 1 << RESPONDER | 1 << INITIATOR
_CT_BITS = 1 << PROTO | 1 << DPORT | 1 << CT_PROTO | 1 << CT_DPORT
_STATE_BITS = 1 << CT_STATE | 1 << MODE
# If all modes of a box are among these, its sender is one of the ends.
_IS_END = ((modes.BY_INITIATOR, INITIATOR), (modes.BY_RESPONDER, RESPONDER))


def difference(box: Box, conditions: Limits) -> list[Box]:
    """Return disjoint boxes that make up what of a box lies outside some conditions."""
    pieces = []
    rest = list(box)
    for dim, mask in conditions:
        outside = rest[dim] & ~mask
        if outside:
            piece = rest.copy()
            piece[dim] = outside
            pieces.append(tuple(piece))
        rest[dim] &= mask
        if not rest[dim]:
            return [box]
    return pieces


def united(boxes: Iterable[Box], over: Sequence[int]) -> list[Box]:
    """Return fewer boxes with the same packets: those that differ in one dimension only become one."""
    alike: dict[tuple[int, ...], list[Box]] = {}
    for box in dict.fromkeys(boxes):
        key = list(box)
        for dim in over:
            key[dim] = 0
        alike.setdefault(tuple(key), []).append(box)
    found: list[Box] = []
    for group in alike.values():
        found += group if len(group) == 1 else _united(group, over)
    return found


def _united(boxes: list[Box], over: Sequence[int]) -> list[Box]:
    for dim in over:
        masks: dict[tuple[Box, Box], int] = {}
        for box in boxes:
            key = (box[:dim], box[dim + 1 :])
            masks[key] = masks.get(key, 0) | box[dim]
        if len(masks) < len(boxes):
            boxes = [(*before, mask, *behind) for (before, behind), mask in masks.items()]
        if len(boxes) == 1:
            break
    return boxes


class Narrower:
    """Makes boxes smaller without losing a packet that can exist."""

    def __init__(self, space: Space, ties: Ties) -> None:
        self._space, self._ties = space, ties
        self._eth_types = space.value(ETH_TYPE, EthType.IPV4), space.value(ETH_TYPE, EthType.IPV6)
        self._addresses = space.version(4), space.version(6)
        self._of_versions = tuple(map(self._allowed, range(8)))
        self._no_type = space.value(ICMP_TYPE, 0)
        self._senders_of: dict[int, int] = {0: 0}
        self._macs_of: dict[int, int] = {0: 0}
        self._states_of: dict[int, int] = {}
        self._modes_of: dict[int, int] = {}
        self._rules_of: dict[tuple[int, int], tuple[Rule, ...]] = {}
        self._rules = (
            Rule(self._fragment, ETH_TYPE, PROTO, FRAGMENT, ICMP_TYPE, SPORT, DPORT),
            Rule(self._version, ETH_TYPE, IP_SRC, IP_DST),
            Rule(self._party, SENDER, MODE, RESPONDER, INITIATOR),
        )

    def _allowed(self, versions: int) -> tuple[int, int]:
        """Return the ethertypes and addresses of some versions (1: IPv4, 2: IPv6, 4: others)."""
        eth_types = addresses = 0
        for place in (0, 1):
            if versions >> place & 1:
                eth_types, addresses = eth_types | self._eth_types[place], addresses | self._addresses[place]
        if versions & 4:
            eth_types |= self._space.everything[ETH_TYPE] & ~sum(self._eth_types)
            addresses = self._space.everything[IP_SRC]
        return eth_types, addresses

    def intersect(self, box: Box, conditions: Limits) -> Box | None:
        """Return what of a box meets some conditions; None if no packet does."""
        narrowed = list(box)
        touched = 0
        for dim, mask in conditions:
            have = narrowed[dim]
            common = have & mask
            if not common:
                return None
            if common != have:
                narrowed[dim] = common
                touched |= 1 << dim
        if touched and not self.narrow(narrowed, touched):
            return None
        return tuple(narrowed)

    def outside(self, box: Box, conditions: Limits) -> Iterator[Box]:
        """Yield disjoint boxes with all packets of a box that do not meet some conditions."""
        pieces = difference(box, conditions)
        if pieces and pieces[0] is box:
            yield box
            return
        touched = sum(1 << dim for dim, _ in conditions)
        for piece in pieces:
            narrowed = list(piece)
            if self.narrow(narrowed, touched):
                yield tuple(narrowed)

    def narrow(self, box: list[int], touched: int) -> bool:
        """Narrow a box after some dimensions have changed. Return whether any packet remains."""
        while touched:
            before = touched
            touched = 0
            if before & _MAC_BITS and box[FLAGS]:
                touched |= self._equal(box)
            if before & _STATE_BITS and box[FLAGS] & STATE_IS_OF_MODE:
                touched |= self._state(box)
            if before & _CT_BITS and box[FLAGS] & CT_IS_OWN:
                touched |= self._own_ct(box)
            for rule in self._rules_of.get((box[TIES], before)) or self._choose_rules(box[TIES], before):
                known = rule.known.get(rule.masks_of(box))
                if known is None:
                    touched |= rule.learn(box)
                elif known[0]:
                    touched |= known[0]
                    for dim, mask in known[1]:
                        box[dim] = mask
            if touched < 0:
                return False
        return True

    def _choose_rules(self, ties: int, touched: int) -> tuple[Rule, ...]:
        """Return the rules that may narrow a box with some ties after some dimensions have changed."""
        rules = (*self._rules, *self._ties.rules_of(ties))
        chosen = self._rules_of[ties, touched] = tuple(rule for rule in rules if touched & rule.bits)
        return chosen

    def _equal(self, box: list[int]) -> int:
        flags, touched = box[FLAGS], 0
        if flags & LABEL_IS_ENDS:
            touched |= _same(box, LABEL_R, RESPONDER) | _same(box, LABEL_I, INITIATOR)
        if flags & DST_IS_RESPONDER:
            touched |= _same(box, ETH_DST, RESPONDER)
        if flags & DST_IS_INITIATOR:
            touched |= _same(box, ETH_DST, INITIATOR)
        return touched

    def _state(self, box: list[int]) -> int:
        states = self._states_of.get(box[MODE])
        if states is None:
            states = self._states_of[box[MODE]] = modes.states_of(box[MODE])
        touched = limit(box, CT_STATE, states)
        possible = self._modes_of.get(box[CT_STATE])
        if possible is None:
            possible = self._modes_of[box[CT_STATE]] = modes.modes_of(box[CT_STATE])
        return touched | limit(box, MODE, possible)

    def _fragment(self, box: list[int]) -> int:
        """A fragment has no ports, and nothing else has none. It shows ICMP type 0."""
        none = self._space.no_port
        can_be_piece = box[SPORT] & none and box[DPORT] & none and box[ICMP_TYPE] & self._no_type
        touched = 0 if can_be_piece else limit(box, FRAGMENT, WHOLE)
        hidden = self._space.hidden_proto
        touched |= limit(box, FRAGMENT, LATER) if not box[PROTO] & ~hidden else 0
        can_hide = box[FRAGMENT] & LATER and box[ETH_TYPE] & self._eth_types[1]
        touched |= limit(box, PROTO, ~hidden) if not can_hide else 0
        if not box[FRAGMENT] & PIECES:
            return touched | limit(box, SPORT, ~none) | limit(box, DPORT, ~none)
        if not box[SPORT] & ~none or not box[DPORT] & ~none:
            touched |= limit(box, FRAGMENT, PIECES)
        if not box[FRAGMENT] & WHOLE:
            touched |= (
                limit(box, SPORT, none) | limit(box, DPORT, none) | limit(box, ICMP_TYPE, self._no_type)
            )
        return touched

    def _own_ct(self, box: list[int]) -> int:
        """A connection has its packet's protocol and port. Fragments hide them."""
        none, hidden = self._space.no_port, self._space.hidden_proto
        touched = limit(box, PROTO, box[CT_PROTO] | hidden)
        if not box[PROTO] & hidden:
            touched |= limit(box, CT_PROTO, box[PROTO])
        touched |= limit(box, DPORT, box[CT_DPORT] | none)
        return touched | (0 if box[DPORT] & none else limit(box, CT_DPORT, box[DPORT]))

    def _version(self, box: list[int]) -> int:
        """Ethertype and addresses are of one version; other packets than IP have no address."""
        possible = self._versions_of(box[ETH_TYPE]) & self._versions_of_addresses(box[IP_SRC])
        possible &= self._versions_of_addresses(box[IP_DST])
        eth_types, addresses = self._of_versions[possible]
        return limit(box, ETH_TYPE, eth_types) | limit(box, IP_SRC, addresses) | limit(box, IP_DST, addresses)

    def _versions_of(self, eth_types: int) -> int:
        """Return 1 for IPv4, 2 for IPv6 and 4 for other packets, added up."""
        four, six = self._eth_types
        return bool(eth_types & four) | bool(eth_types & six) << 1 | bool(eth_types & ~(four | six)) << 2

    def _versions_of_addresses(self, addresses: int) -> int:
        four, six = self._addresses
        return bool(addresses & four) | bool(addresses & six) << 1 | 1 << 2

    def _party(self, box: list[int]) -> int:
        touched = 0
        for among, end in _IS_END:
            if not box[MODE] & ~among:
                touched |= limit(box, SENDER, self.senders_of(box[end]))
                touched |= limit(box, end, self.macs_of(box[SENDER]))
        if not box[MODE] & ~modes.BY_STRANGER and box[SENDER] and touched >= 0:
            for end in (INITIATOR, RESPONDER):
                touched |= self._no_end(box, end)
        return touched

    def _no_end(self, box: list[int], end: int) -> int:
        """The sender is not an end: if either is of one kin only, the other is not of that kin."""
        touched = 0
        if box[SENDER]:
            kin, macs = self._space.kin[box[SENDER].bit_length() - 1]
            if not box[SENDER] & ~kin:
                touched |= limit(box, end, ~macs)
        ends = self.senders_of(box[end])
        if ends and self._space.kin[ends.bit_length() - 1][0] == ends and not box[end] & ~self.macs_of(ends):
            touched |= limit(box, SENDER, ~ends)
        return touched

    def senders_of(self, macs: int) -> int:
        """Return the senders that are, or have as kin, a neighbour with one of some MACs."""
        found = self._senders_of.get(macs)
        if found is None:
            mine = self._space.mac_of_sender
            found = 0
            for place, (kin, _) in enumerate(self._space.kin):
                if mine[place] & macs:
                    found |= kin
            self._senders_of[macs] = found
        return found

    def macs_of(self, senders: int) -> int:
        """Return the MACs of some senders and their kin."""
        found = self._macs_of.get(senders)
        if found is None:
            found = 0
            for place in places(senders):
                found |= self._space.kin[place][1]
            self._macs_of[senders] = found
        return found


def _same(box: list[int], one: int, other: int) -> int:
    if box[one] == box[other]:
        return 0 if box[one] else -1
    common = box[one] & box[other]
    if not common:
        return -1
    touched = (1 << one if common != box[one] else 0) | (1 << other if common != box[other] else 0)
    box[one] = box[other] = common
    return touched
