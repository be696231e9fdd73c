"""Remembers the differences on each switch: open ones, and those that have ended. Pure.

Everything is bounded: at most `MOST_KEPT` records for each switch and observer, the gravest; the rest is only
counted. And what the journal must say, at most `MOST_NOTES` notes per minute for each switch and event, and
one for each difference that is graver than those.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from controller.drift.model import Difference, DriftKind

MOST_KEPT = 1_000  # open differences of one switch that one observer finds; others are only counted
MOST_ENDED = 200  # ended ones that one switch is remembered for
MOST_NOTES = 5  # per minute, for each switch and event; the rest is counted in one note
MINUTE_S = 60.0
_MOST_REPAIRS = 10_000  # times of repairs that are remembered for one switch


class Ending(StrEnum):
    """How a difference has ended."""

    REPAIRED = "repaired"
    BY_ITSELF = "ended by itself"  # a stranger undid it, or the policy now wants it so


class NoteKind(StrEnum):
    FOUND = "found"
    REPAIRED = "repaired"
    BY_ITSELF = "ended by itself"


@dataclass(frozen=True, slots=True)
class DriftRecord:
    """`first_seen`, `last_seen`, `ended_at`: UTC, seconds since 1970. `times`: how often it was found."""

    difference: Difference
    first_seen: float
    last_seen: float
    times: int = 1
    ending: Ending | None = None
    ended_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """All differences of some kinds that are open on a switch at one time.

    `more`: how many further ones there are. `ending`: how those have ended that are not open any more.
    `yields`: what another observer says about the same thing, under the same key, is more precise.
    """

    switch: str
    kinds: frozenset[DriftKind]
    found: tuple[Difference, ...] = ()
    more: int = 0
    ending: Ending = Ending.BY_ITSELF
    yields: bool = False


@dataclass(frozen=True, slots=True)
class DriftNote:
    """What the journal must say. `worst`: the gravest of `count` differences; None: it is not known."""

    switch: str
    kind: NoteKind
    count: int
    worst: Difference | None


@dataclass(slots=True)
class _OfSwitch:
    open: dict[str, DriftRecord] = field(default_factory=dict)
    ended: dict[str, DriftRecord] = field(default_factory=dict)
    found: dict[frozenset[DriftKind], dict[str, Difference]] = field(default_factory=dict)  # by observer
    uncounted: dict[frozenset[DriftKind], int] = field(default_factory=dict)  # open, but not kept
    repairs: deque[float] = field(default_factory=lambda: deque(maxlen=_MOST_REPAIRS))


@dataclass(slots=True)
class _Minute:
    begins: float
    notes: int = 0
    told: Difference | None = None  # the gravest that has a note
    left_out: int = 0  # differences without a note of their own
    worst: Difference | None = None  # the gravest of them


class DriftLedger:
    """`utc`: seconds since 1970. Each observer reports all open differences of its own kinds.

    What two observers find is one difference, which is open until neither finds it.
    """

    def __init__(self) -> None:
        self._switches: dict[str, _OfSwitch] = {}
        self._minutes: dict[tuple[str, NoteKind], _Minute] = {}
        self._notes: list[DriftNote] = []

    def observe(self, utc: float, seen: Observation) -> None:
        """Take up what is open now."""
        switch, kinds, ending = seen.switch, seen.kinds, seen.ending
        known = self._switches.setdefault(switch, _OfSwitch())
        others = _merged(found for each, found in known.found.items() if each != kinds)
        now_open, more = _bounded(seen)
        previous, known.found[kinds] = known.found.get(kinds, {}), now_open
        fresh = [each for key, each in now_open.items() if key not in known.open]
        gone = [key for key in previous if key not in now_open]
        ended = [known.open[key] for key in gone if key not in others]
        words = {**now_open, **_only(others, [*gone, *(now_open if seen.yields else ())])}
        for record in ended:
            self._end(known, record, utc, ending)
        for key, difference in words.items():
            known.open[key] = self._seen(known, key, difference, utc)
        before, known.uncounted[kinds] = known.uncounted.get(kinds, 0), more
        # Some may have been counted before, and are kept now that there is room.
        moved = min(len(fresh), max(0, before - more))
        self._note(utc, switch, NoteKind.FOUND, fresh[moved:], max(0, more - before))
        kind = NoteKind.REPAIRED if ending is Ending.REPAIRED else NoteKind.BY_ITSELF
        self._note(utc, switch, kind, [each.difference for each in ended], max(0, before - more - moved))

    def on_repaired(self, utc: float, switch: str) -> None:
        """Count a repair; `repairs` returns how many there were."""
        self._switches.setdefault(switch, _OfSwitch()).repairs.append(utc)

    def forget(self, switches: Iterable[str]) -> None:
        """Forget all about switches that are not in the policy any more."""
        for switch in switches:
            self._switches.pop(switch, None)
            for kind in NoteKind:
                self._minutes.pop((switch, kind), None)

    def take_notes(self, utc: float) -> tuple[DriftNote, ...]:
        """Return what the journal must say now, once; call it after `observe`, and regularly."""
        for (switch, kind), minute in list(self._minutes.items()):
            if utc - minute.begins < MINUTE_S:
                continue
            if minute.left_out:
                self._notes.append(DriftNote(switch, kind, minute.left_out, minute.worst))
            del self._minutes[switch, kind]
        notes, self._notes = tuple(self._notes), []
        return notes

    def open_on(self, switch: str) -> tuple[DriftRecord, ...]:
        """Return the open differences of a switch that are kept, the gravest first."""
        return _worst_first(self._switches.get(switch, _OfSwitch()).open.values())

    def last_found(self, switch: str, kinds: frozenset[DriftKind]) -> tuple[Difference, ...]:
        """Return what the observer of these kinds has found last on a switch."""
        return tuple(self._switches.get(switch, _OfSwitch()).found.get(kinds, {}).values())

    def ended_on(self, switch: str) -> tuple[DriftRecord, ...]:
        """Return the differences of a switch that have ended, the latest first."""
        return tuple(reversed(self._switches.get(switch, _OfSwitch()).ended.values()))

    def count_open(self, switch: str) -> int:
        """Return how many differences are open on a switch, those included that are only counted."""
        known = self._switches.get(switch, _OfSwitch())
        return len(known.open) + sum(known.uncounted.values())

    def is_wrong(self, switch: str) -> bool:
        """Return whether a difference is open on a switch that cannot be meant."""
        known = self._switches.get(switch, _OfSwitch())
        is_any = any(not record.difference.may_be_meant for record in known.open.values())
        return is_any or any(known.uncounted.values())

    def repairs(self, switch: str, since: float) -> int:
        """Return how often a switch was repaired since a point of time."""
        return sum(at >= since for at in self._switches.get(switch, _OfSwitch()).repairs)

    @property
    def switches(self) -> Iterator[str]:
        """Yield the names of the switches on which anything was ever observed."""
        return iter(sorted(self._switches))

    def _seen(self, known: _OfSwitch, key: str, difference: Difference, utc: float) -> DriftRecord:
        if before := known.open.get(key):
            return replace(before, difference=difference, last_seen=utc)
        if earlier := known.ended.pop(key, None):
            return DriftRecord(difference, earlier.first_seen, utc, earlier.times + 1)
        return DriftRecord(difference, utc, utc)

    def _end(self, known: _OfSwitch, record: DriftRecord, utc: float, ending: Ending) -> None:
        key = record.difference.key
        del known.open[key]
        known.ended.pop(key, None)
        known.ended[key] = replace(record, last_seen=utc, ending=ending, ended_at=utc)
        while len(known.ended) > MOST_ENDED:
            del known.ended[next(iter(known.ended))]

    def _note(
        self, utc: float, switch: str, kind: NoteKind, differences: list[Difference], more: int
    ) -> None:
        if not differences and not more:
            return
        minute = self._minutes.setdefault((switch, kind), _Minute(utc))
        worst = _worst(differences)
        if minute.notes >= MOST_NOTES and not _is_graver(worst, minute.told):
            minute.left_out += len(differences) + more
            minute.worst = _worst(each for each in (minute.worst, worst) if each)
            return
        minute.notes += 1
        minute.told = _worst(each for each in (minute.told, worst) if each)
        self._notes.append(DriftNote(switch, kind, len(differences) + more, worst))


def _worst(differences: Iterable[Difference]) -> Difference | None:
    return min(differences, key=lambda each: each.rank, default=None)


def _is_graver(one: Difference | None, other: Difference | None) -> bool:
    """Return whether a difference is of a graver kind; that is so only a few times in a minute."""
    return one is not None and (other is None or one.gravity < other.gravity)


def _bounded(seen: Observation) -> tuple[dict[str, Difference], int]:
    """Return the gravest differences by their keys, and how many more there are.

    Each observer has its own room: a thousand spare ports must not hide one flow.
    """
    found = {each.key: each for each in seen.found}
    if len(found) <= MOST_KEPT:
        return found, seen.more
    kept = sorted(found.values(), key=lambda each: (each.may_be_meant, each.rank))[:MOST_KEPT]
    return {each.key: each for each in kept}, seen.more + len(found) - MOST_KEPT


def _worst_first(records: Iterable[DriftRecord]) -> tuple[DriftRecord, ...]:
    return tuple(sorted(records, key=lambda record: record.difference.rank))


def _merged(parts: Iterable[Mapping[str, Difference]]) -> dict[str, Difference]:
    return {key: difference for part in parts for key, difference in part.items()}


def _only(known: Mapping[str, Difference], keys: Iterable[str]) -> dict[str, Difference]:
    return {key: known[key] for key in keys if key in known}
