"""REST resources about sources: decisions, the allow-list, evidence, and explanations.

A request with many parts is never refused as a whole: the valid parts are executed, and
the response says which parts were refused, and why.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import falcon

from common.wire.decisions import RequestedAllowance
from controller.api import receipts
from controller.api.auth import forbid
from controller.api.confirm import await_switches
from controller.api.context import Caller, Outside, Resource
from controller.api.records import posted, read_record
from controller.api.unexpected import tell_unexpected
from controller.reports import sources
from controller.runtime import Asker
from controller.runtime.commands.suspicion import (
    AllowSource,
    DecisionChoice,
    EndAllowance,
    EndDecisions,
    ExplainSource,
    FindDecisions,
    ListAllowances,
    ListDecisions,
    ListOrigin,
    MakeDecisions,
    ReadDecision,
    ReportEvidence,
)
from controller.suspicion.codec import (
    BadInput,
    read_evidence,
    read_request,
    read_source,
    show_allowance,
    show_decision,
)
from controller.suspicion.decision import Request
from controller.suspicion.ledger import LedgerOutcome, join_outcomes

T = TypeVar("T")
_MOST_DECISIONS = 100_000
_MOST_EVIDENCE = 1_000
_MOST_DECISIONS_BYTES = 64 * 1024 * 1024
_MOST_EVIDENCE_BYTES = 8 * 1024 * 1024
_MOST_SHOWN = 100
_AN_ALLOWANCE = 'send {"value": "198.51.100.0/24", "comment": "why"}'
_AT_ONCE = 500  # decisions in one step of the runtime: about 30 ms


def add_routes(app: falcon.App[Any, Any], ask: Asker, outside: Outside) -> None:
    app.add_route("/v1/decisions", _Decisions(ask, outside))
    app.add_route("/v1/decisions/{number:int}", _Decision(ask, outside))
    app.add_route("/v1/origins/{origin}", _Origin(ask, outside))
    app.add_route("/v1/allow", _AllowList(ask, outside))
    app.add_route("/v1/allow/{number:int}", _Allowance(ask, outside))
    app.add_route("/v1/sources/{source:path}", _Source(ask, outside))
    add_evidence_route(app, ask, outside)


def build_sensor_app(ask: Asker, outside: Outside) -> falcon.App[Any, Any]:
    """What a sensor may do: post evidence, and decisions under its own name."""
    app = falcon.App()
    tell_unexpected(app)
    forbid(app)
    app.add_route("/v1/origins/{origin}", _Origin(ask, outside))
    add_evidence_route(app, ask, outside)
    return app


def add_evidence_route(app: falcon.App[Any, Any], ask: Asker, outside: Outside) -> None:
    app.add_route("/v1/evidence", _Evidence(ask, outside))
    app.add_error_handler(BadInput, _refuse)


def _refuse(_request: falcon.Request, response: falcon.Response, error: Exception, _params: object) -> None:
    assert isinstance(error, BadInput)
    response.status = falcon.HTTP_422
    response.media = {"errors": [f"{error}; remedy: {error.remedy}"]}


def _listed(request: falcon.Request, key: str, most: int, most_bytes: int) -> list[Any]:
    """Return the list that was posted. Raise `falcon.HTTPError` if it is not a list, or too long."""
    media = posted(request, most_bytes)
    parts = media.get(key) if isinstance(media, dict) else None
    if not isinstance(parts, list) or len(parts) > most:
        raise falcon.HTTPBadRequest(description=f'send {{"{key}": [...]}} with {most} of them at most')
    return parts


def _read_all(parts: list[Any], read: Callable[[Any], T]) -> tuple[list[T], list[int], list[dict[str, Any]]]:
    """Return what could be read, the index of each, and what could not be read."""
    good: list[T] = []
    indexes: list[int] = []
    bad: list[dict[str, Any]] = []
    for index, part in enumerate(parts):
        try:
            good.append(read(part))
            indexes.append(index)
        except BadInput as error:
            bad.append({"index": index, "error": str(error), "remedy": error.remedy})
    return good, indexes, bad


def _refused(outcome: LedgerOutcome, indexes: list[int]) -> list[dict[str, Any]]:
    return [
        {"index": indexes[index], "error": refusal.error, "remedy": refusal.remedy}
        for index, refusal in outcome.refused
    ]


def _add(ask: Caller, requests: list[Request]) -> LedgerOutcome:
    """Many decisions are passed to the runtime in batches, so that nothing else waits for all of them."""
    return join_outcomes(
        (first, ask(MakeDecisions(tuple(requests[first : first + _AT_ONCE]))))
        for first in range(0, len(requests), _AT_ONCE)
    )


def _end(ask: Caller, numbers: list[int], origin: str = "") -> int:
    """Return how many have ended."""
    count = 0
    for first in range(0, len(numbers), _AT_ONCE):
        count += ask(EndDecisions(tuple(numbers[first : first + _AT_ONCE]), origin))
    return count


def _end_all(ask: Caller, numbers: list[int]) -> dict[str, Any]:
    """End decisions. Returns when the switches have removed them; otherwise the response says so."""
    found = _read_all_of(ask, numbers) if len(numbers) <= _MOST_SHOWN else []
    count = _end(ask, numbers)
    return {"deleted": count, "is_confirmed": await_switches(ask), "receipts": found}


def _choice(request: falcon.Request) -> DecisionChoice:
    """Read `origin`, `value` and `tenant`. Raise `BadInput`."""
    origin, value, tenant = (request.get_param(key) or "" for key in ("origin", "value", "tenant"))
    return DecisionChoice(origin, read_source(value) if value else None, tenant)


class _Decisions(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """List decisions; `origin`, `value`, `tenant` and `limit` filter.

        `receipts`: ask the switches what they hold of the newest 200.
        """
        ask = self._caller(request)
        limit = request.get_param_as_int("limit", default=1_000, min_value=1, max_value=1_000_000)
        found = ask(ListDecisions(_choice(request), limit))
        newest = found.decisions[-receipts.MOST_NUMBERS :]
        is_wanted = request.get_param_as_bool("receipts", default=False)
        by_number = receipts.of_decisions(ask, (each.number for each in newest)) if is_wanted else {}
        response.media = sources.decisions(found, by_number)

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        requests, indexes, bad = _read_all(
            _listed(request, "decisions", _MOST_DECISIONS, _MOST_DECISIONS_BYTES), read_request
        )
        ask = self._caller(request)
        outcome = _add(ask, requests)
        response.media = {
            "accepted": [show_decision(each) for each in outcome.accepted[:_MOST_SHOWN]],
            "accepted_count": len(outcome.accepted),
            "refused": sorted(bad + _refused(outcome, indexes), key=lambda each: each["index"])[:_MOST_SHOWN],
            "refused_count": len(bad) + len(outcome.refused),
            "evicted": outcome.evicted,
            "is_confirmed": len(requests) <= _MOST_SHOWN and await_switches(ask),
        }

    def on_delete(self, request: falcon.Request, response: falcon.Response) -> None:
        """Delete the decisions that `origin`, `value` and `tenant` select; at least one must be given."""
        choice = _choice(request)
        if choice == DecisionChoice():
            raise falcon.HTTPBadRequest(description="select decisions with ?origin=, ?value= or ?tenant=")
        ask = self._caller(request)
        response.media = _end_all(ask, list(ask(FindDecisions(choice))))


class _Decision(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response, number: int) -> None:
        """Show a decision with its receipt: what each switch holds of it now, and matched packets."""
        found = _read_all_of(self._caller(request), [number])
        if not found:
            raise falcon.HTTPNotFound(description=f"no decision has number {number}; it may have ended")
        response.media = found[0]

    def on_delete(self, request: falcon.Request, response: falcon.Response, number: int) -> None:
        response.media = _end_all(self._caller(request), [number])


class _Origin(Resource):
    def on_put(self, request: falcon.Request, response: falcon.Response, origin: str) -> None:
        """Replace all decisions of an origin with these."""
        ask = self._caller(request)
        held = ask(ListOrigin(origin))
        read = partial(read_request, origin=origin)
        requests, indexes, bad = _read_all(
            _listed(request, "decisions", _MOST_DECISIONS, _MOST_DECISIONS_BYTES), read
        )
        wanted = {each.scope for each in requests}
        gone = [each.number for each in held if each.request.scope not in wanted]
        _end(ask, gone, origin)
        outcome = _add(ask, requests)
        kept = len(held) - len(gone)
        response.media = {
            "added": len({each.number for each in outcome.accepted}) - kept,
            "kept": kept,
            "deleted": len(gone),
            "refused": (bad + _refused(outcome, indexes))[:_MOST_SHOWN],
            "refused_count": len(bad) + len(outcome.refused),
        }


class _AllowList(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """List the allow-list; `receipts`: ask the switches what they hold of the newest 200 entries."""
        ask = self._caller(request)
        found = ask(ListAllowances())
        is_wanted = request.get_param_as_bool("receipts", default=False)
        newest = [each.number for each in found[-receipts.MOST_NUMBERS :]]
        by_number = receipts.of_allowances(ask, newest) if is_wanted else {}
        response.media = [
            {
                **show_allowance(each),
                **({"receipt": by_number[each.number]} if each.number in by_number else {}),
            }
            for each in found
        ]

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Let a source pass: `{"value": "198.51.100.0/24", "comment": "why", "duration_s": 0}`.

        Returns when the switches have confirmed it; otherwise the response says so.
        """
        said = read_record(RequestedAllowance, posted(request), _AN_ALLOWANCE)
        allow = AllowSource(read_source(said.value), said.comment, said.duration_s)
        ask = self._caller(request)
        allowance = ask(allow)
        is_confirmed = await_switches(ask)
        receipt = receipts.of_allowances(ask, [allowance.number]).get(allowance.number)
        response.media = {**show_allowance(allowance), "is_confirmed": is_confirmed, "receipt": receipt}


class _Allowance(Resource):
    def on_delete(self, request: falcon.Request, response: falcon.Response, number: int) -> None:
        """Remove an entry. Returns when the switches have confirmed it; otherwise the response says so."""
        ask = self._caller(request)
        gone = ask(EndAllowance(number))
        if gone is None:
            raise falcon.HTTPNotFound(description=f"no entry in the allow-list has number {number}")
        response.media = {**show_allowance(gone), "is_confirmed": await_switches(ask)}


class _Evidence(Resource):
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        facts, _, bad = _read_all(
            _listed(request, "evidence", _MOST_EVIDENCE, _MOST_EVIDENCE_BYTES), read_evidence
        )
        self._caller(request)(ReportEvidence(tuple(facts)))
        response.media = {"accepted": len(facts), "refused": bad[:_MOST_SHOWN]}


class _Source(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response, source: str) -> None:
        """Explain a source: its score, the evidence, every decision about it, the allow-list."""
        ask = self._caller(request)
        known = ask(ExplainSource(read_source(source)))
        by_number = receipts.of_decisions(ask, (each.number for each in known.decisions))
        allowed = known.allowance.number if known.allowance else 0
        of_allowance = receipts.of_allowances(ask, [allowed]).get(allowed) if allowed else None
        response.media = sources.explain(known, by_number, of_allowance)


def _read_all_of(ask: Caller, numbers: list[int]) -> list[dict[str, Any]]:
    """Return decisions with their receipts; those that have ended are left out."""
    found = [decision for number in numbers if (decision := ask(ReadDecision(number)))]
    by_number = receipts.of_decisions(ask, (each.number for each in found))
    return [{**show_decision(each), "receipt": by_number[each.number]} for each in found]
