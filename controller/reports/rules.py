"""Rules of the policy with their flows, and what switches hold of them, as plain JSON values. Pure."""

from collections.abc import Iterable, Mapping

from common.wire.codec import Json
from controller.reports.sources import switch_receipt
from controller.runtime.commands.policy import ExplainedFlow, Explanation, NotExplained
from controller.sync.outcomes import FoundFlow
from controller.sync.receipts import Held, Sighting, receipt_of

Seen = Mapping[str, Sighting]


def explain(explanation: Explanation | NotExplained, seen: Seen) -> Json:
    """Return rules with their places, their flows, and what each switch holds of them now."""
    if isinstance(explanation, NotExplained):
        return {"found": False, "reason": explanation.reason}
    return {
        "found": True,
        "revision": explanation.revision,
        "rules": [{"rule": each.rule, "place": each.place} for each in explanation.rules],
        "flows": [
            {"switch": each.switch, "flow": each.text, "cookie": f"{each.cookie:#x}", **counts}
            for each, counts in _counted(explanation.flows, seen)
        ],
        "switches": receipts(explanation.flows, seen),
    }


def receipts(flows: Iterable[ExplainedFlow], seen: Seen) -> list[Json]:
    """Return a row for each switch: what it holds of these flows."""
    by_switch: dict[str, list[ExplainedFlow]] = {}
    for each in flows:
        by_switch.setdefault(each.switch, []).append(each)
    return [
        switch_receipt(
            receipt_of(
                switch,
                (each.wire for each in group),
                seen.get(switch),
                frozenset().union(*(each.parts for each in group)),
            )
        )
        for switch, group in sorted(by_switch.items())
    ]


def counted_flows(flows: Iterable[ExplainedFlow], seen: Seen) -> dict[str, list[Json]]:
    """Return the flows of each switch with their counters."""
    rows: dict[str, list[Json]] = {}
    for each, counts in _counted(flows, seen):
        rows.setdefault(each.switch, []).append({"flow": each.text, **counts})
    return rows


def _counted(flows: Iterable[ExplainedFlow], seen: Seen) -> Iterable[tuple[ExplainedFlow, Json]]:
    found = {(switch, each.flow.key): each for switch, sighting in seen.items() for each in sighting.flows}
    for each in flows:
        sighting = seen.get(each.switch)
        is_known = sighting is not None and not sighting.failure
        flow = found.get((each.switch, each.wire.key)) if is_known else None
        faults = sighting.faults_of(each.parts) if sighting else ()
        yield each, _counts(each, flow, is_known, faults)


def _counts(wanted: ExplainedFlow, found: FoundFlow | None, is_known: bool, faults: tuple[str, ...]) -> Json:
    if found is None:
        state = Held.MISSING if is_known else Held.UNKNOWN
        return {"state": state.value, "packets": None, "bytes": None, "age_s": None, "faults": list(faults)}
    state = Held.INSTALLED if found.flow.is_like(wanted.wire) and not faults else Held.MISSING
    return {
        "state": state.value,
        "faults": list(faults),
        "packets": found.packets,
        "bytes": found.bytes,
        "age_s": found.age_s,
    }
