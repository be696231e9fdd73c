"""Strays of a switch session as differences, with the rule of the policy to which each belongs. Pure.

Words for what a switch holds are passed in, because only `controller.openflow` reads bytes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from controller.drift.ledger import MOST_KEPT
from controller.drift.model import Difference, DriftChange, DriftKind
from controller.ids import is_numbered, is_ours, rule_of
from controller.sync.session import SwitchSession
from controller.sync.state import WireFlow, WireGroup, WireKey, WireMeter

Thing = WireFlow | WireGroup | WireMeter


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules behind a switch's desired state. `flows`: by cookie; the others by number."""

    flows: Mapping[int, str] = field(default_factory=dict)
    groups: Mapping[int, str] = field(default_factory=dict)
    meters: Mapping[int, str] = field(default_factory=dict)


class Describer:
    """Keeps the words of each stray as long as it is one. `describe`: words for what a switch holds."""

    def __init__(self, describe: Callable[[Thing], str]) -> None:
        self._describe = describe
        self._known: dict[str, dict[str, tuple[Thing | None, Thing | None, Difference]]] = {}

    def differences(self, session: SwitchSession, rules: Rules) -> tuple[Difference, ...]:
        """Return at most `MOST_KEPT` differences of a switch, foreign and changed ones first."""
        before, now = self._known.get(session.name, {}), {}
        for kind, number, held, wanted, rule in islice(_all(session, rules), MOST_KEPT):
            key = f"{kind} {number}"
            known = before.get(key)
            if known and known[0] is held and known[1] is wanted:
                now[key] = known
                continue
            text, wish = ("" if each is None else self._describe(each) for each in (held, wanted))
            change = _change(held, wanted)
            now[key] = held, wanted, Difference(session.name, kind, change, key, text, wish, rule)
        self._known[session.name] = now
        return tuple(difference for _, _, difference in now.values())


def _change(held: Thing | None, wanted: Thing | None) -> DriftChange:
    if held is None:
        return DriftChange.MISSING
    return DriftChange.FOREIGN if wanted is None else DriftChange.CHANGED


_Found = tuple[DriftKind, str, Thing | None, Thing | None, str]  # kind, number, held, wanted, rule


def _all(session: SwitchSession, rules: Rules) -> Iterator[_Found]:
    strays = session.strays
    for key, held in strays.flows.items():
        yield _flow(session, rules, key, held)
    yield from _groups(session, rules)
    yield from _meters(session, rules)
    for key in strays.missing:
        found = _flow(session, rules, key, None)
        if found[3] is not None:  # otherwise it would be deleted anyway
            yield found


def _flow(session: SwitchSession, rules: Rules, key: WireKey, held: WireFlow | None) -> _Found:
    wanted = session.desired.flows.get(key) or session.overlay.flows.get(key)
    rule = _rule_of(wanted.cookie, rules) if wanted else ""
    number = f"{key.table} {key.priority} {key.fields.hex()}"
    return DriftKind.FLOW, number, held, wanted, rule


def _rule_of(cookie: int, rules: Rules) -> str:
    if is_numbered(cookie):
        return rule_of(cookie)
    return rules.flows.get(cookie, "") if is_ours(cookie) else ""


def _groups(session: SwitchSession, rules: Rules) -> Iterator[_Found]:
    for number, held in session.strays.groups.items():
        wanted = session.desired.groups.get(number)
        if held or wanted:
            rule = rules.groups.get(number, "") if wanted else ""
            yield DriftKind.GROUP, str(number), held, wanted, rule


def _meters(session: SwitchSession, rules: Rules) -> Iterator[_Found]:
    for number, held in session.strays.meters.items():
        wanted = session.desired.meters.get(number) or session.overlay.meters.get(number)
        if held or wanted:
            rule = rules.meters.get(number, "") if wanted else ""
            yield DriftKind.METER, str(number), held, wanted, rule
