"""Decisions and sources, as operators see them. Pure."""

from collections.abc import Iterable, Mapping

from common.wire.codec import Json
from controller.runtime.commands.suspicion import (
    DecisionList,
    EvidenceLine,
    NotInForce,
    Receipt,
    SourceExplanation,
)
from controller.suspicion.codec import show_allowance, show_decision
from controller.suspicion.decision import Decision


def decisions(found: DecisionList) -> Json:
    return {
        "decisions": [show_decision(each) for each in found.decisions],
        "count": found.count,
        "whole": found.whole,
        "most": found.most,
        "evicted": found.evicted,
        "refused": found.refused,
    }


def receipt(found: Receipt | NotInForce, hits: Mapping[str, int] | None) -> Json:
    """Return where a decision is in force, under which cookie, and how many packets matched it."""
    if isinstance(found, NotInForce):
        return {"in_force": False, "reason": found.reason, "switches": []}
    rows = [
        {
            "switch": row.switch,
            "flows": row.flows,
            "confirmed": row.is_confirmed,
            "packets": hits.get(row.switch) if hits is not None else None,
        }
        for row in found.switches
    ]
    return {"in_force": True, "cookie": f"{found.cookie:#x}", "switches": rows}


def explain(known: SourceExplanation) -> Json:
    """Return all that is known about a source, and the effect."""
    return {
        "source": str(known.source),
        "party": str(known.party),
        "owner": known.owner,
        "score": round(known.score, 1),
        "unproven": round(known.unproven, 1),
        "offences": known.offences,
        "evidence": [_show(line) for line in known.evidence],
        "allowed": show_allowance(known.allowance) if known.allowance else None,
        "decisions": [
            {**show_decision(decision), "receipt": receipt(about, None)}
            for decision, about in known.decisions
        ],
        "consequence": _consequence((each for each, _ in known.decisions), known.allowance is not None),
    }


def _consequence(about: Iterable[Decision], is_allowed: bool) -> str:
    """Return in one sentence what happens to the source's next connection."""
    if is_allowed:
        return "passes: the source is on the allow-list, which overrides every decision"
    for decision in about:
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
    return "passes: there is no decision about the source"


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
