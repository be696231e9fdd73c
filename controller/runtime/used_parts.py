"""Finds the groups and meters that flows of rules, decisions and allowances name."""

from collections.abc import Iterable, Iterator, Mapping

from controller.ids import is_numbered, rule_of
from controller.runtime.lookups import PartsWanted
from controller.runtime.suspicion import DecisionKeeper
from controller.runtime.switch_record import SwitchRecord
from controller.runtime.switches import Switches
from controller.sync.parts import FindUsed, Part, PartKind, Parts, parts_used
from controller.sync.state import WireFlow, WireKey


class UsedParts:
    def __init__(self, switches: Switches, suspicion: DecisionKeeper, find_used: FindUsed) -> None:
        self._switches, self._suspicion, self._find_used = switches, suspicion, find_used

    def of(self, switch: str, flows: Iterable[WireFlow]) -> frozenset[Part]:
        """Return what flows of a switch name, directly or by groups."""
        record = self._switches.by_name().get(switch)
        if record is None:
            return frozenset()
        return parts_used(flows, record.session.desired.groups, self._find_used)

    def under(self, cookies: Iterable[tuple[int, int]]) -> Mapping[str, PartsWanted]:
        """Return what the flows under cookies, each with its mask, name on each switch."""
        chosen = tuple(cookies)
        found = {}
        for record in self._switches.records.values():
            flows = self._flows_of(record, chosen)
            asked = parts_used(flows, record.session.desired.groups, self._find_used)
            found[record.name] = PartsWanted(asked, _wanted(record, asked))
        return found

    def _flows_of(self, record: SwitchRecord, cookies: Iterable[tuple[int, int]]) -> Iterator[WireFlow]:
        """Flows of decisions are found by their keys, because there may be very many of them."""
        rules = []
        for cookie, mask in cookies:
            if is_numbered(cookie):
                keys = self._keys_of(rule_of(cookie)).get(record.name, ())
                yield from (flow for key in keys if (flow := record.session.overlay.flows.get(key)))
            else:
                rules.append((cookie & mask, mask))
        masks, wanted = {mask for _, mask in rules}, set(rules)
        for flow in record.session.desired.flows.values() if rules else ():
            if any((flow.cookie & mask, mask) in wanted for mask in masks):
                yield flow

    def _keys_of(self, rule: str) -> Mapping[str, tuple[WireKey, ...]]:
        """Return the flows, by switch, of `decisions.17` or `allow.3`."""
        kind, _, number = rule.partition(".")
        if kind == "allow":
            allowance = self._suspicion.allowed.by_number.get(int(number))
            return self._suspicion.keys_of(allowance.source) if allowance else {}
        decision = self._suspicion.ledger.by_number.get(int(number))
        return self._suspicion.keys_of(decision.request.scope) if decision else {}


def _wanted(record: SwitchRecord, parts: Iterable[Part]) -> Parts:
    """Return some groups and meters as a switch should hold them."""
    desired, overlay = record.session.desired, record.session.overlay
    groups, meters = {}, {}
    for part in parts:
        number = part.number
        match part.kind:
            case PartKind.GROUP if group := desired.groups.get(number):
                groups[number] = group
            case PartKind.METER if meter := desired.meters.get(number) or overlay.meters.get(number):
                meters[number] = meter
    return Parts(groups, meters)
