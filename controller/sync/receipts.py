"""Whether a switch holds what it should, from what it has just reported itself. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controller.sync.outcomes import FoundFlow
from controller.sync.parts import Part
from controller.sync.state import WireFlow

_HAS_CHANGED = "what it should hold has changed since it was asked"


class Held(StrEnum):
    INSTALLED = "installed"  # the switch holds all of it, as it should be
    MISSING = "not installed"  # not all of it, or not as it should be
    UNKNOWN = "unknown"  # the switch has not answered


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a switch has answered to a request for some cookies; `failure`: why it has not.

    `faults`: of each group and meter that their flows name, what is wrong with it; "": nothing.
    """

    flows: tuple[FoundFlow, ...] = ()
    failure: str = ""
    faults: Mapping[Part, str] = field(default_factory=dict)

    def faults_of(self, parts: Iterable[Part]) -> tuple[str, ...]:
        """Return in words what is wrong with some groups and meters."""
        return tuple(fault for part in sorted(parts) if (fault := self.faults.get(part)))

    def has_seen(self, parts: Iterable[Part]) -> bool:
        return all(part in self.faults for part in parts)


@dataclass(frozen=True, slots=True)
class SwitchReceipt:
    """What a switch holds of what it should hold.

    `flows`: how many it should hold. `held`: how many of them it holds as they should be. `changed`: how
    many it holds with other actions. `more`: flows with the same cookie that it should not hold. Packets and
    bytes are those of the flows that it holds; `age_s`: of the youngest of them. None: not known. `faults`:
    what is wrong with the groups and meters that the flows name.
    """

    switch: str
    flows: int
    state: Held
    held: int = 0
    changed: int = 0
    more: int = 0
    packets: int | None = None
    bytes: int | None = None
    age_s: int | None = None
    reason: str = ""
    faults: tuple[str, ...] = ()


def receipt_of(
    switch: str, wanted: Iterable[WireFlow], seen: Sighting | None, parts: frozenset[Part] = frozenset()
) -> SwitchReceipt:
    """Return what a switch holds of some flows, and of the groups and meters that they name (`parts`).

    `seen` has at least the flows with their cookies.
    """
    by_key = {flow.key: flow for flow in wanted}
    if seen is None or seen.failure:
        reason = seen.failure if seen else "it was not asked"
        return SwitchReceipt(switch, len(by_key), Held.UNKNOWN, reason=reason)
    cookies = {flow.cookie for flow in by_key.values()}
    there = {each.flow.key: each for each in seen.flows if each.flow.cookie in cookies}
    ours = [each for key, each in there.items() if key in by_key]
    held = sum(each.flow.is_like(by_key[each.flow.key]) for each in ours)
    faults = seen.faults_of(parts)
    is_held = held == len(by_key) and not faults
    if is_held and not seen.has_seen(parts):
        return SwitchReceipt(switch, len(by_key), Held.UNKNOWN, reason=_HAS_CHANGED)
    return SwitchReceipt(
        switch,
        len(by_key),
        Held.INSTALLED if is_held else Held.MISSING,
        held,
        len(ours) - held,
        len(there) - len(ours),
        sum(each.packets for each in ours),
        sum(each.bytes for each in ours),
        min((each.age_s for each in ours), default=None),
        faults=faults,
    )
