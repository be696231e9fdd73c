"""What a switch would be sent, in two parts: the policy's, and that of decisions and allowances. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from controller.ids import is_decision_meter, is_numbered
from controller.plans.settings import NO_SETTINGS, SettingsPlan
from controller.sync.plan import Plan
from controller.sync.rehearsal import Rehearsal, all_of
from controller.sync.state import WireFlow, WireGroup, WireMeter
from controller.sync.strays import Stray


@dataclass(frozen=True, slots=True)
class SwitchPlan:
    """`decisions`: changes of flows of decisions and allowances.

    `is_known`: the switch is connected, and was read; otherwise this is what it would be sent if it still
    held what it held last. `strays`: what others have changed; it is put right as well. `settings`: the same
    outside of its tables.
    """

    switch: str
    policy: Plan
    decisions: Plan
    is_known: bool
    strays: tuple[Stray, ...] = ()
    settings: SettingsPlan = NO_SETTINGS

    @property
    def is_empty(self) -> bool:
        is_any_wrong = self.strays or self.settings.put_back
        return self.policy.is_empty and self.decisions.is_empty and not is_any_wrong

    @property
    def digest(self) -> str:
        """Return a text that is the same for the same changes of the policy's part."""
        return _digest((verb.encode(), item) for verb, item in items_of(self.policy))

    @property
    def digest_of_strays(self) -> str:
        """Return a text that is the same for the same changes by others; empty for none."""
        things = [(b"held", each.held) for each in self.strays if each.held]
        things += [(b"wanted", each.wanted) for each in self.strays if each.wanted]
        return _digest(things) if things else ""


def _digest(things: Iterable[tuple[bytes, WireFlow | WireGroup | WireMeter]]) -> str:
    known = blake2b(digest_size=16)
    for name, thing in things:
        known.update(b"|".join((name, *_bytes_of(thing))))
    return known.hexdigest()


def switch_plan(switch: str, rehearsed: Rehearsal) -> SwitchPlan:
    """Return the plans of a rehearsal as one, in its two parts."""
    return SwitchPlan(switch, *split_plan(all_of(rehearsed.plans)), rehearsed.is_known, rehearsed.strays)


def split_plan(plan: Plan) -> tuple[Plan, Plan]:
    """Return the policy's part of a plan, and that of decisions and allowances."""
    return _part(plan, of_decisions=False), _part(plan, of_decisions=True)


def _part(plan: Plan, *, of_decisions: bool) -> Plan:
    def flows(all_flows: tuple[WireFlow, ...]) -> tuple[WireFlow, ...]:
        return tuple(each for each in all_flows if is_numbered(each.cookie) is of_decisions)

    def meters(all_meters: tuple[WireMeter, ...]) -> tuple[WireMeter, ...]:
        return tuple(each for each in all_meters if is_decision_meter(each.meter_id) is of_decisions)

    return Plan(
        () if of_decisions else plan.new_groups,
        () if of_decisions else plan.changed_groups,
        flows(plan.put_flows),
        flows(plan.deleted_flows),
        () if of_decisions else plan.deleted_groups,
        meters(plan.new_meters),
        meters(plan.changed_meters),
        meters(plan.deleted_meters),
    )


def _bytes_of(item: WireFlow | WireGroup | WireMeter) -> tuple[bytes, ...]:
    match item:
        case WireFlow(key, cookie, instructions, _, expires):
            head = b"%d.%d.%d.%d" % (key.table, key.priority, cookie, expires)
            return (head, key.fields, instructions)
        case WireGroup(group_id, kind, buckets):
            return (b"%d.%d" % (group_id, kind), buckets)
        case WireMeter(meter_id, body):
            return (b"%d" % meter_id, body)


Item = tuple[str, WireFlow | WireGroup | WireMeter]


def items_of(plan: Plan) -> Iterator[Item]:
    """Yield each change of a plan, with the verb."""
    for verb in Plan.__slots__:
        for item in getattr(plan, verb):
            yield verb, item
