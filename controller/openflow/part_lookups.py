"""Requests for the groups and some meters of a switch, and the replies that belong to them.

OpenFlow 1.4 describes all groups at once (7.3.5.7), and meters one by one (7.3.5.11); a meter that the switch
does not have is an error.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from controller.openflow import messages, replies
from controller.openflow.messages import Multipart, Type
from controller.openflow.replies import BadMessage
from controller.sync.outcomes import PartsFound
from controller.sync.state import WireGroup, WireMeter

_MOST_PENDING = 200  # look-ups; older ones are abandoned
_MOST_METERS = 200  # that are asked for one by one; for more, the switch is asked for all


@dataclass(slots=True)
class _PartLookUp:
    number: int
    groups_xid: int = 0
    pending: set[int] = field(default_factory=set)
    groups: dict[int, WireGroup] = field(default_factory=dict)
    meters: dict[int, WireMeter] = field(default_factory=dict)


class PartLookUps:
    """`next_xid` returns an xid that was not used before."""

    def __init__(self, next_xid: Callable[[], int]) -> None:
        self._next_xid = next_xid
        self._by_xid: dict[int, _PartLookUp] = {}

    def ask(self, number: int, meters: Iterable[int], *, with_groups: bool) -> list[bytes]:
        """Return the requests whose replies together become `PartsFound`."""
        self._make_room()
        look_up, requests = _PartLookUp(number), []
        if with_groups:
            look_up.groups_xid = self._next_xid()
            requests.append(messages.request_groups(look_up.groups_xid))
            look_up.pending.add(look_up.groups_xid)
        wanted = sorted(meters)
        for meter in wanted if len(wanted) <= _MOST_METERS else [messages.ALL_METERS]:
            xid = self._next_xid()
            look_up.pending.add(xid)
            requests.append(messages.request_meters(xid, meter))
        self._by_xid |= dict.fromkeys(look_up.pending, look_up)
        return requests

    def is_about(self, xid: int) -> bool:
        return xid in self._by_xid

    def receive(self, kind: int, xid: int, buffer: bytes) -> PartsFound | None:
        """Process a reply to one of the requests. Raise `BadMessage` if it is not valid."""
        look_up = self._by_xid[xid]
        if kind == Type.MULTIPART_REPLY:
            part = replies.parse_multipart(buffer)
            _take(look_up, xid == look_up.groups_xid, part)
            if part.has_more:
                return None
        elif kind != Type.ERROR:
            return None
        del self._by_xid[xid]
        look_up.pending.discard(xid)
        return None if look_up.pending else PartsFound(look_up.number, look_up.groups, look_up.meters)

    def _make_room(self) -> None:
        pending = {id(each): each for each in self._by_xid.values()}
        if len(pending) >= _MOST_PENDING:
            for xid in next(iter(pending.values())).pending:
                del self._by_xid[xid]


def _take(look_up: _PartLookUp, is_of_groups: bool, part: replies.MultipartReply) -> None:
    if part.kind == Multipart.GROUP_DESC and is_of_groups:
        for each in replies.parse_groups(part.body):
            look_up.groups[each.group_id] = WireGroup(each.group_id, each.kind, each.buckets)
    elif part.kind == Multipart.METER_CONFIG and not is_of_groups:
        look_up.meters |= {each.meter_id: each for each in replies.parse_meters(part.body)}
    else:
        raise BadMessage(f"a reply of kind {part.kind} to a request for groups or meters")
