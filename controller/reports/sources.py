"""Decisions and sources, as operators see them. Pure."""

from collections.abc import Iterable, Mapping

from common.wire.codec import Json
from controller.runtime.commands.suspicion import (
    DecisionList,
    EvidenceLine,
    NotInForce,
    OpenDifferences,
    Receipt,
    SourceExplanation,
)
from controller.suspicion.allow import Allowance
from controller.suspicion.codec import show_allowance, show_decision
from controller.suspicion.decision import Decision
from controller.sync.receipts import Held, SwitchReceipt

_NOT_LOOKED_UP: Json = {"in_force": True, "switches": []}


def decisions(found: DecisionList, receipts: Mapping[int, Json]) -> Json:
    """Return a list of decisions, with the receipts that were asked for."""
    return {
        "decisions": [
            {**show_decision(each), **({"receipt": receipts[each.number]} if each.number in receipts else {})}
            for each in found.decisions
        ],
        "count": found.count,
        "whole": found.whole,
        "most": found.most,
        "evicted": found.evicted,
        "refused": found.refused,
    }


def allowance(found: Allowance, of_switches: Json | None) -> Json:
    """Return an entry of the allow-list, with its receipt if it was asked for."""
    return {**show_allowance(found), **({"receipt": of_switches} if of_switches else {})}


def receipt(found: Receipt | NotInForce) -> Json:
    """Return where a decision or an allowance must be, and what each switch holds of it now."""
    if isinstance(found, NotInForce):
        return {"in_force": False, "reason": found.reason, "switches": []}
    return {
        "in_force": True,
        "cookie": f"{found.cookie:#x}",
        "switches": [switch_receipt(row) for row in found.switches],
    }


def switch_receipt(row: SwitchReceipt) -> Json:
    """Return one switch's part; `confirmed`: the switch has just said that it holds all of it."""
    return {
        "switch": row.switch,
        "flows": row.flows,
        "confirmed": row.state is Held.INSTALLED,
        "state": row.state.value,
        "held": row.held,
        "changed": row.changed,
        "more": row.more,
        "packets": row.packets,
        "bytes": row.bytes,
        "age_s": row.age_s,
        "reason": row.reason,
        "faults": list(row.faults),
    }


def explain(known: SourceExplanation, receipts: Mapping[int, Json], of_allowance: Json | None = None) -> Json:
    """Return all that is known about a source, and the effect. `receipts`: of decisions, by number.

    `differences`: those open on each switch. They may change the effect.
    """
    return {
        "source": str(known.source),
        "party": str(known.party),
        "owner": known.owner,
        "score": round(known.score, 1),
        "unproven": round(known.unproven, 1),
        "offences": known.offences,
        "evidence": [_show(line) for line in known.evidence],
        "allowed": (
            {**show_allowance(known.allowance), "receipt": of_allowance} if known.allowance else None
        ),
        "decisions": [
            {**show_decision(each), "receipt": receipts.get(each.number, _NOT_LOOKED_UP)}
            for each in known.decisions
        ],
        "consequence": _consequence(known, receipts, of_allowance) + _despite(known.differences),
        "differences": [_differences_row(each) for each in known.differences],
    }


def _consequence(known: SourceExplanation, receipts: Mapping[int, Json], of_allowance: Json | None) -> str:
    """Return in one sentence what happens to the source's next connection, as far as switches confirm it."""
    if known.allowance:
        text = "passes: the source is on the allow-list, which overrides every decision"
        return text + _exceptions(of_allowance)
    for decision in known.decisions:
        if receipts.get(decision.number, _NOT_LOOKED_UP)["in_force"]:
            return _by_decision(decision) + _exceptions(receipts.get(decision.number))
    return "passes: there is no decision about the source"


def _by_decision(decision: Decision) -> str:
    request = decision.request
    words = {
        "watch": "passes, and is counted",
        "limit": "passes, at a limited rate",
        "decoy": "reaches a decoy",
        "drop": "is dropped",
    }[request.action.value]
    if request.is_simulated:
        words = f"passes; without simulation: {words}"
    only = str(request.scope).partition(" ")[2]
    return words + (f" ({only}; others may differ)" if only else "") + f", by decision {decision.number}"


def _exceptions(found: Json | None) -> str:
    """Return the switches that do not confirm it."""
    rows = found["switches"] if found else ()
    names = [f"{row['switch']} ({row['state']})" for row in rows if not row["confirmed"]]
    return f"; NOT CONFIRMED by {', '.join(names)}" if names else ""


def _despite(differences: Iterable[OpenDifferences]) -> str:
    """Return which switches hold something else, which may make it untrue."""
    said = [f"{each.switch} {_said(each)}" for each in differences]
    return f"; but {', '.join(said)}; see `postern drift`" if said else ""


def _said(each: OpenDifferences) -> str:
    foreign, others = each.foreign_flows, each.count - each.foreign_flows
    said = [f"holds {foreign} foreign flow{'' if foreign == 1 else 's'}"] if foreign else []
    said += [f"has {others} {'other ' if foreign else ''}open difference{'' if others == 1 else 's'}"] * (
        others > 0
    )
    return " and ".join(said)


def _differences_row(each: OpenDifferences) -> Json:
    return {"switch": each.switch, "count": each.count, "foreign_flows": each.foreign_flows}


def _show(line: EvidenceLine) -> Json:
    fact = line.fact
    return {
        "time": line.at_utc,
        "kind": fact.kind,
        "proven": fact.is_proven,
        "expected": fact.is_expected,
        "tenant": fact.tenant,
        "destination": fact.destination,
        "port": fact.port,
        "count": fact.count,
        "detail": fact.detail,
        "trace": fact.trace,
    }
