"""What each switch was really sent for the last accepted policy, held against what was planned."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from common.journal.journal import Journal
from controller.plans.switches import Item, SwitchPlan, items_of, split_plan
from controller.runtime.commands.policy import DeliveryRow
from controller.sync.plan import Plan
from controller.telemetry.events import ControllerEvent

_NOUNS = {"flows": "flow", "groups": "group", "meters": "meter"}


@dataclass(slots=True)
class _Delivery:
    planned: SwitchPlan
    plans: list[str] = field(default_factory=list)
    items: set[Item] = field(default_factory=set)
    decisions: int = 0
    differences: tuple[str, ...] = ()
    is_done: bool = False

    def note(self, plan: Plan) -> None:
        policy, decisions = split_plan(plan)
        self.decisions += decisions.size
        if not policy.is_empty:
            self.items.update(items_of(policy))
            self.plans = [*self.plans[-9:], str(policy)]

    def close(self) -> None:
        """Compare, and keep only the result."""
        planned = set(items_of(self.planned.policy))
        self.differences = (
            *_count(self.items - planned, "sent, but not planned"),
            *_count(planned - self.items, "planned, but not sent"),
        )
        self.items, self.is_done = set(), True


def _count(items: set[Item], what: str) -> Iterable[str]:
    for plural, noun in _NOUNS.items():
        count = sum(verb.endswith(plural) for verb, _ in items)
        if count:
            yield f"{count} {noun if count == 1 else plural} {what}"


class Deliveries:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._by_switch: dict[str, _Delivery] = {}
        self.revision = 0

    def begin(self, revision: int, planned: Iterable[SwitchPlan]) -> None:
        """A policy was accepted; what is sent from now on is held against the plan."""
        self.revision = revision
        self._by_switch = {each.switch: _Delivery(each) for each in planned}

    def note(self, switch: str, plan: Plan) -> None:
        delivery = self._by_switch.get(switch)
        if delivery and not delivery.is_done:
            delivery.note(plan)

    def close(self, switch: str) -> None:
        """A switch holds what is desired."""
        delivery = self._by_switch.get(switch)
        if delivery is None or delivery.is_done:
            return
        delivery.close()
        if delivery.differences and delivery.planned.is_known:
            reason = "; ".join(delivery.differences)
            self._journal.write(
                ControllerEvent.SENT_OTHER_THAN_PLANNED,
                switch=switch,
                revision=self.revision,
                reason=reason,
            )

    def rows(self) -> tuple[DeliveryRow, ...]:
        return tuple(
            DeliveryRow(
                name,
                str(each.planned.policy),
                "; then ".join(each.plans),
                each.decisions,
                each.planned.is_known,
                each.is_done,
                each.differences,
            )
            for name, each in sorted(self._by_switch.items())
        )
