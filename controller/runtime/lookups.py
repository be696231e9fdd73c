"""Asks switches what they hold under some cookies, and keeps what they answer until it is fetched.

Requests are filtered by cookie, so that the switch does not report its other flows. The groups and meters
that the flows name are asked for at the same time. All of it is bounded: the look-ups that wait, and the
requests of one look-up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from controller.sync.outcomes import FlowsFound, FoundFlow, PartsFound
from controller.sync.parts import DescribePart, Part, PartKind, Parts, faults_of
from controller.sync.receipts import Sighting

MOST_COOKIES = 200  # of one look-up
_MOST_WAITING = 100
_WHOLE_COOKIE = 2**64 - 1
NOT_CONNECTED = "it is not connected"
NO_ANSWER = "it has not answered in time"
TOO_MANY = "it holds too many flows to count"
NONE_SILENT: Mapping[str, str] = MappingProxyType({})


class LookUpChannel(Protocol):
    """The part of a switch's channel that is needed here."""

    def look_up(self, number: int, cookie: int, mask: int) -> None: ...

    def look_up_parts(self, number: int, meters: tuple[int, ...], with_groups: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class PartsWanted:
    """The groups and meters to ask a switch for, and as what it should hold them."""

    asked: frozenset[Part]
    wanted: Parts


@dataclass(slots=True)
class _LookUp:
    pending: set[tuple[str, int]] = field(default_factory=set)  # switch and number of the request
    flows: dict[str, list[FoundFlow]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    wanted: Mapping[str, PartsWanted] = field(default_factory=dict)
    faults: dict[str, dict[Part, str]] = field(default_factory=dict)


class LookUps:
    """`describe`: a group or a meter in words."""

    def __init__(self, describe: DescribePart) -> None:
        self._describe = describe
        self._next = 0
        self._waiting: dict[int, _LookUp] = {}  # by the look-up's number
        self._by_request: dict[int, int] = {}

    def ask(
        self,
        channels: Mapping[str, LookUpChannel | None],
        cookies: Iterable[tuple[int, int]],
        wanted: Mapping[str, PartsWanted],
        silent: Mapping[str, str] = NONE_SILENT,
    ) -> int:
        """Ask all switches for flows under cookies, each with its mask; return the look-up's number.

        `channels`: by the switch's name; None: it is not connected. `wanted`: also ask for these.
        `silent`: why some are not waited for.
        """
        chosen = tuple(cookies)[:MOST_COOKIES]
        if len(self._waiting) >= _MOST_WAITING:
            self._forget(next(iter(self._waiting)))
        number, look_up = self._number(), _LookUp(wanted=wanted)
        self._waiting[number] = look_up
        for switch, channel in channels.items():
            look_up.flows[switch] = []
            if channel is None:
                look_up.failures[switch] = NOT_CONNECTED
                continue
            if switch in silent:
                look_up.failures[switch] = silent[switch]
                continue
            for cookie, mask in chosen:
                channel.look_up(self._request(number, switch), cookie, mask)
            if (parts := wanted.get(switch)) and parts.asked:
                meters = tuple(sorted(each.number for each in parts.asked if each.kind is PartKind.METER))
                with_groups = len(meters) < len(parts.asked)
                channel.look_up_parts(self._request(number, switch), meters, with_groups)
        return number

    def _request(self, number: int, switch: str) -> int:
        """Return the number of a new request of a look-up to a switch."""
        request = self._number()
        self._by_request[request] = number
        self._waiting[number].pending.add((switch, request))
        return request

    def on_found(self, switch: str, found: FlowsFound) -> None:
        if (look_up := self._answered(switch, found.number)) is None:
            return
        look_up.flows[switch] += found.flows
        if not found.is_whole:
            look_up.failures[switch] = TOO_MANY

    def on_parts_found(self, switch: str, found: PartsFound) -> None:
        if (look_up := self._answered(switch, found.number)) is None:
            return
        parts = look_up.wanted[switch]
        held = Parts(found.groups, found.meters)
        look_up.faults[switch] = dict(faults_of(parts.asked, parts.wanted, held, self._describe))

    def _answered(self, switch: str, request: int) -> _LookUp | None:
        """Return the look-up that a reply belongs to; None: nothing waits for it any more."""
        look_up = self._waiting.get(self._by_request.get(request, -1))
        if look_up is None or (switch, request) not in look_up.pending:
            return None
        self._by_request.pop(request)
        look_up.pending.discard((switch, request))
        return look_up

    def take(self, number: int, *, is_last: bool) -> Mapping[str, Sighting] | None:
        """Return what each switch has answered, once; None: not all have. `is_last`: do not wait for them."""
        look_up = self._waiting.get(number)
        if look_up is None:
            return {} if is_last else None
        if look_up.pending and not is_last:
            return None
        for switch, _ in look_up.pending:
            look_up.failures.setdefault(switch, NO_ANSWER)
        self._forget(number)
        return {
            switch: Sighting(tuple(flows), look_up.failures.get(switch, ""), look_up.faults.get(switch, {}))
            for switch, flows in look_up.flows.items()
        }

    def _forget(self, number: int) -> None:
        for _, request in self._waiting.pop(number).pending:
            self._by_request.pop(request, None)

    def _number(self) -> int:
        self._next = (self._next + 1) % 2**62
        return self._next


def exactly(cookie: int) -> tuple[int, int]:
    """Return a request for the flows with this cookie."""
    return cookie, _WHOLE_COOKIE
