"""The groups and meters that flows name, directly or by groups, and whether a switch holds them. Pure.

What a flow names is in its bytes, which only `controller.openflow` reads: `FindUsed` is passed in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controller.sync.state import WireFlow, WireGroup, WireMeter


class PartKind(StrEnum):
    GROUP = "group"
    METER = "meter"


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """A group or a meter by its number."""

    kind: PartKind
    number: int

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


@dataclass(frozen=True, slots=True)
class Parts:
    """Groups and meters of one switch, by number."""

    groups: Mapping[int, WireGroup] = field(default_factory=dict)
    meters: Mapping[int, WireMeter] = field(default_factory=dict)

    def get(self, part: Part) -> WireGroup | WireMeter | None:
        return (self.groups if part.kind is PartKind.GROUP else self.meters).get(part.number)


FindUsed = Callable[[WireFlow | WireGroup], frozenset[Part]]
DescribePart = Callable[[WireGroup | WireMeter], str]


def parts_used(
    flows: Iterable[WireFlow], groups: Mapping[int, WireGroup], find_used: FindUsed
) -> frozenset[Part]:
    """Return all groups and meters that flows name, those included that only groups name."""
    found: set[Part] = set()
    due = [part for flow in flows for part in find_used(flow)]
    while due:
        part = due.pop()
        if part not in found:
            found.add(part)
            group = groups.get(part.number) if part.kind is PartKind.GROUP else None
            due += find_used(group) if group else ()
    return frozenset(found)


def faults_of(
    asked: Iterable[Part], wanted: Parts, held: Parts, describe: DescribePart
) -> Iterator[tuple[Part, str]]:
    """Yield each part, and in words what is wrong with it; "": the switch holds it as wanted."""
    for part in asked:
        wish, there = wanted.get(part), held.get(part)
        if there is None:
            yield part, f"its {part} is missing"
        elif there == wish:
            yield part, ""
        else:
            yield part, f"its {part} was changed by hand: {_change(there, wish, describe)}"


def _change(there: WireGroup | WireMeter, wish: WireGroup | WireMeter | None, describe: DescribePart) -> str:
    is_now = describe(there).partition(": ")[2]
    was = describe(wish).partition(": ")[2] if wish else "nothing"
    return f"{is_now} instead of {was}" if is_now != was else "in a part that has no words"
