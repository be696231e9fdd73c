"""Decisions and sources, as operators ask for them. Pure reading."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from controller.ids import cookie_of
from controller.policy.model import Network
from controller.runtime import Runtime
from controller.suspicion.codec import read_source, show_allowance, show_decision
from controller.suspicion.decision import Decision
from controller.suspicion.scores import Evidence, source_of

Json = dict[str, Any]


def chosen(runtime: Runtime, wanted: Mapping[str, str | None]) -> Iterator[Decision]:
    """Yield the decisions that `origin`, `value` and `tenant` choose; empty: all. Raise `BadInput`."""
    origin, value, tenant = (wanted.get(key) for key in ("origin", "value", "tenant"))
    source = read_source(value) if value else None
    for decision in list(runtime.suspicion.ledger.by_number.values()):
        scope = decision.request.scope
        if origin and decision.request.origin != origin:
            continue
        if (source and scope.source != source) or (tenant and scope.tenant != tenant):
            continue
        yield decision


def decisions(runtime: Runtime, wanted: Mapping[str, str | None], limit: int) -> Json:
    found = list(chosen(runtime, wanted))
    suspicion = runtime.suspicion
    return {
        "decisions": [show_decision(each) for each in found[-limit:]],
        "count": len(found),
        "whole": len(suspicion.ledger),
        "most": suspicion.ledger.caps.whole,
        "evicted": suspicion.evicted,
        "refused": suspicion.refused,
    }


def receipt(runtime: Runtime, number: int, hits: Mapping[str, int] | None) -> Json:
    """Say where a decision is carried out, under which cookie, and how many packets met it."""
    suspicion = runtime.suspicion
    decision = suspicion.ledger.by_number.get(number)
    if decision is None:
        return {"in_force": False, "why": "it has ended", "switches": []}
    winner = suspicion.ledger.in_force(decision.request.scope)
    if winner is not decision:
        assert winner is not None
        return {"in_force": False, "why": f"decision {winner.number} is stronger", "switches": []}
    by_name = runtime.switches.by_name()
    rows = []
    for switch, keys in sorted(suspicion.keys_of(decision.request.scope).items()):
        record = by_name.get(switch)
        held = record.session.overlay.installed if record else {}
        is_confirmed = record is not None and record.channel is not None and all(k in held for k in keys)
        packets = hits.get(switch) if hits is not None else None
        rows.append({"switch": switch, "flows": len(keys), "confirmed": is_confirmed, "packets": packets})
    return {"in_force": True, "cookie": f"{cookie_of(f'decisions.{number}'):#x}", "switches": rows}


def explain(runtime: Runtime, source: Network, now: float, utc: float) -> Json:
    """Return all that is known of a source, and what follows from it."""
    suspicion = runtime.suspicion
    party = source_of(source.network_address) if source.prefixlen == source.max_prefixlen else source
    record = suspicion.scores.by_source.get(party)
    points, unproven = suspicion.scores.score_at(now, party)
    about = suspicion.ledger.about(source)
    allowance = suspicion.allowed.covering(source)
    return {
        "source": str(source),
        "party": str(party),
        "owner": suspicion.owner(source),
        "score": round(points, 1),
        "unproven": round(unproven, 1),
        "offences": record.offences if record else 0,
        "evidence": [_show(fact, utc - (now - when)) for when, fact in (record.lines if record else [])],
        "allowed": show_allowance(allowance) if allowance else None,
        "decisions": [
            {**show_decision(each), "receipt": receipt(runtime, each.number, None)} for each in about
        ],
        "consequence": _consequence(about, allowance is not None),
    }


def _consequence(about: Iterable[Decision], is_allowed: bool) -> str:
    """Say in one sentence what happens to the source's next connection."""
    if is_allowed:
        return "passes: it is on the allow-list, which always wins"
    for decision in about:
        request = decision.request
        words = {
            "watch": "passes, and is counted",
            "limit": "passes, at a limited rate",
            "decoy": "meets a decoy",
            "drop": "is dropped",
        }[request.action.value]
        if request.is_simulated:
            words = f"passes; but for simulation it would be: {words}"
        only = str(request.scope).partition(" ")[2]
        return words + (f" ({only}; others may differ)" if only else "") + f", by decision {decision.number}"
    return "passes: nothing is decided about it"


def _show(fact: Evidence, at: float) -> Json:
    return {
        "at": at,
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
