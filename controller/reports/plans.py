"""Plans and what became of them, as plain JSON values. Pure."""

from collections.abc import Iterable

from common.wire.codec import Json, to_media
from controller.plans.sessions import AffectedSessions, SessionForecast
from controller.plans.settings import PlannedSetting
from controller.plans.switches import SwitchPlan
from controller.runtime.commands.policy import DeliveryRow, FlowChanges, PolicyDelivery, PolicyPlan
from controller.sync.plan import Plan

_NOTHING = FlowChanges((), ())


def plan(planned: PolicyPlan) -> Json:
    """Return what accepting a policy does: summary, sessions, counts for each switch.

    `switches`, `plans` and `warnings` are what the first release answered.
    """
    flows = planned.flows or {}
    return {
        "switches": {name: _words(flows.get(name, _NOTHING)) for name in _names(planned)},
        "plans": {each.switch: str(each.policy) for each in planned.switches},
        "warnings": list(planned.warnings),
        "is_empty": is_empty(planned),
        "summary": [{"subject": each.subject, "text": each.text} for each in planned.changes],
        "conditions": dict(planned.conditions),
        "sessions": _sessions(planned.sessions),
        "sends": [_sends(each, flows.get(each.switch, _NOTHING)) for each in planned.switches],
        "dropped_switches": list(planned.dropped),
        "has_flows": planned.flows is not None,
        "state": to_media(planned.state),
    }


def is_empty(planned: PolicyPlan) -> bool:
    """Return whether nothing would change: neither the policy nor a switch."""
    return not planned.changes and not planned.dropped and all(each.is_empty for each in planned.switches)


def delivery(found: PolicyDelivery) -> Json:
    return {"revision": found.revision, "switches": [_delivery_row(each) for each in found.switches]}


def _names(planned: PolicyPlan) -> Iterable[str]:
    return sorted({each.switch for each in planned.switches} | (planned.flows or {}).keys())


def _words(changes: FlowChanges) -> Json:
    return {
        "added": list(changes.added),
        "removed": list(changes.removed),
    }


def _sends(each: SwitchPlan, changes: FlowChanges) -> Json:
    return {
        "switch": each.switch,
        "is_known": each.is_known,
        "strays": len(each.strays),
        "repairs": list(changes.repaired),
        "settings": [_setting(setting) for setting in each.settings.put_back],
        "staying_settings": [_setting(setting) for setting in each.settings.staying],
        "policy": _counts(each.policy),
        "decisions": _counts(each.decisions),
        "text": str(each.policy),
    }


def _setting(found: PlannedSetting) -> Json:
    """Return a difference under the keys of `postern drift`; `said` is all of it in one line."""
    return {
        "kind": found.kind,
        "change": found.change,
        "text": found.text,
        "wanted": found.wanted,
        "rule": found.rule,
        "remedy": found.remedy,
        "said": found.said,
    }


def _counts(plan: Plan) -> Json:
    return {name: len(getattr(plan, name)) for name in Plan.__slots__}


def _sessions(found: SessionForecast) -> Json:
    return {
        "whole": found.whole,
        "staying": found.staying,
        "moved": [_affected(each) for each in found.moved],
        "ended": [_affected(each) for each in found.ended],
    }


def _affected(each: AffectedSessions) -> Json:
    return {"subject": each.subject, "count": each.count, "text": each.text}


def _delivery_row(row: DeliveryRow) -> Json:
    return {
        "switch": row.switch,
        "planned": row.planned,
        "sent": row.sent,
        "decisions_sent": row.decisions_sent,
        "was_known": row.was_known,
        "is_done": row.is_done,
        "differences": list(row.differences),
    }
