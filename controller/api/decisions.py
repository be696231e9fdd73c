"""REST resources about sources: decisions, the allow-list, evidence, and all of it explained.

A request of many parts is never refused as a whole: what is good is carried out, and
the answer names what was refused, and why.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import falcon

from controller.api.auth import BEARER
from controller.api.confirm import PATIENCE_S, STEP_S, await_switches
from controller.api.context import Ask, Outside
from controller.api.unexpected import tell_unexpected
from controller.reports import sources
from controller.runtime import Runtime
from controller.runtime.tokens import Role
from controller.suspicion.codec import (
    BadInput,
    read_evidence,
    read_request,
    read_source,
    show_allowance,
    show_decision,
)
from controller.suspicion.decision import Request
from controller.suspicion.ledger import Outcome

T = TypeVar("T")
_MOST_DECISIONS = 100_000
_MOST_EVIDENCE = 1_000
_LARGEST_BODY_BYTES = 64 * 1024 * 1024
_MOST_SHOWN = 100
_AT_ONCE = 500  # decisions in one step of the runtime: about 30 ms


def add_routes(app: falcon.App[Any, Any], ask: Ask[Any], outside: Outside) -> None:
    app.add_route("/v1/decisions", _Decisions(ask, outside))
    app.add_route("/v1/decisions/{number:int}", _Decision(ask, outside))
    app.add_route("/v1/origins/{origin}", _Origin(ask, outside))
    app.add_route("/v1/allow", _AllowList(ask, outside))
    app.add_route("/v1/allow/{number:int}", _Allowance(ask, outside))
    app.add_route("/v1/sources/{source:path}", _Source(ask, outside))
    add_evidence_route(app, ask, outside)


def build_sensor_app(ask: Ask[Any], outside: Outside) -> falcon.App[Any, Any]:
    """What a sensor may do: post evidence, and decisions under its own name."""
    app = falcon.App()
    tell_unexpected(app)
    app.add_route("/v1/origins/{origin}", _Origin(ask, outside))
    add_evidence_route(app, ask, outside)
    return app


def add_evidence_route(app: falcon.App[Any, Any], ask: Ask[Any], outside: Outside) -> None:
    app.add_route("/v1/evidence", _Evidence(ask, outside))
    app.add_error_handler(BadInput, _refuse)


def _refuse(_request: falcon.Request, response: falcon.Response, error: Exception, _params: object) -> None:
    assert isinstance(error, BadInput)
    response.status = falcon.HTTP_422
    response.media = {"errors": [f"{error}; remedy: {error.remedy}"]}


def _listed(request: falcon.Request, key: str, most: int) -> list[Any]:
    """Return the list that was posted. Raise `falcon.HTTPError` if it is none, or too long."""
    if (request.content_length or 0) > _LARGEST_BODY_BYTES:
        raise falcon.HTTPContentTooLarge(description=f"a request holds {_LARGEST_BODY_BYTES} bytes at most")
    media = request.get_media()
    parts = media.get(key) if isinstance(media, dict) else None
    if not isinstance(parts, list) or len(parts) > most:
        raise falcon.HTTPBadRequest(description=f'send {{"{key}": [...]}} with {most} of them at most')
    return parts


def _read_all(parts: list[Any], read: Callable[[Any], T]) -> tuple[list[T], list[int], list[dict[str, Any]]]:
    """Return what could be read, the index of each, and what could not."""
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


def _refused(outcome: Outcome, indexes: list[int]) -> list[dict[str, Any]]:
    return [
        {"index": indexes[index], "error": refusal.error, "remedy": refusal.remedy}
        for index, refusal in outcome.refused
    ]


class _Resource:
    """Many decisions are handed to the runtime some at a time, so that nobody else waits for all of them."""

    def __init__(self, ask: Ask[Any], outside: Outside) -> None:
        self._ask, self._outside = ask, outside

    def _add(self, requests: list[Request]) -> Outcome:
        outcome = Outcome()
        for first in range(0, len(requests), _AT_ONCE):
            some, now, utc = requests[first : first + _AT_ONCE], self._outside.now(), self._outside.utc()
            outcome.merge(self._ask(partial(_carry_out, requests=some, now=now, utc=utc)), first)
        return outcome

    def _end_all(self, numbers: list[int]) -> dict[str, Any]:
        """End decisions; the switches have forgotten them when this returns, or the answer says otherwise."""
        receipts = []
        if len(numbers) <= _MOST_SHOWN:
            known = self._ask(lambda runtime: [n for n in numbers if n in runtime.suspicion.ledger.by_number])
            receipts = [_receipt(self._ask, self._outside, number) for number in known]
        count = self._delete(numbers)
        is_confirmed = await_switches(self._ask, self._outside)
        return {"deleted": count, "is_confirmed": is_confirmed, "receipts": receipts}

    def _delete(self, numbers: list[int]) -> int:
        """Return how many there were."""
        count = 0
        for first in range(0, len(numbers), _AT_ONCE):
            some, now = numbers[first : first + _AT_ONCE], self._outside.now()
            count += len(self._ask(partial(_end, numbers=some, now=now)).ended)
        return count


class _Decisions(_Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """List decisions; `origin`, `value`, `tenant` and `limit` choose among them."""
        wanted = {key: request.get_param(key) for key in ("origin", "value", "tenant")}
        limit = request.get_param_as_int("limit", default=1_000, min_value=1, max_value=1_000_000)
        response.media = self._ask(lambda runtime: sources.decisions(runtime, wanted, limit))

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        requests, indexes, bad = _read_all(_listed(request, "decisions", _MOST_DECISIONS), read_request)
        outcome = self._add(requests)
        response.media = {
            "accepted": [show_decision(each) for each in outcome.accepted[:_MOST_SHOWN]],
            "accepted_count": len(outcome.accepted),
            "refused": sorted(bad + _refused(outcome, indexes), key=lambda each: each["index"])[:_MOST_SHOWN],
            "refused_count": len(bad) + len(outcome.refused),
            "evicted": outcome.evicted,
            "is_confirmed": len(requests) <= _MOST_SHOWN and await_switches(self._ask, self._outside),
        }

    def on_delete(self, request: falcon.Request, response: falcon.Response) -> None:
        """Delete the decisions that `origin`, `value` and `tenant` choose; at least one must be given."""
        wanted = {key: request.get_param(key) for key in ("origin", "value", "tenant")}
        if not any(wanted.values()):
            raise falcon.HTTPBadRequest(description="say which: ?origin=, ?value= or ?tenant=")
        found = self._ask(lambda runtime: [each.number for each in sources.chosen(runtime, wanted)])
        response.media = self._end_all(found)


class _Decision(_Resource):
    def on_get(self, _request: falcon.Request, response: falcon.Response, number: int) -> None:
        """Show a decision with its receipt: which switches, which cookie, how often hit."""
        response.media = _receipt(self._ask, self._outside, number)

    def on_delete(self, _request: falcon.Request, response: falcon.Response, number: int) -> None:
        response.media = self._end_all([number])


class _Origin(_Resource):
    def on_put(self, request: falcon.Request, response: falcon.Response, origin: str) -> None:
        """Make the decisions of an origin exactly these."""
        bearer = request.env.get(BEARER)
        if bearer and bearer.role is not Role.OPERATOR and origin.partition(":")[0] != bearer.name:
            raise falcon.HTTPForbidden(
                description=f"{bearer.name} decides as {bearer.name} only, not as {origin}"
            )
        read = partial(read_request, origin=origin)
        requests, indexes, bad = _read_all(_listed(request, "decisions", _MOST_DECISIONS), read)
        wanted = {each.scope for each in requests}
        held = self._ask(lambda runtime: runtime.suspicion.ledger.of_origin(origin))
        gone = [each.number for each in held if each.request.scope not in wanted]
        self._delete(gone)
        outcome = self._add(requests)
        kept = len(held) - len(gone)
        response.media = {
            "added": len({each.number for each in outcome.accepted}) - kept,
            "kept": kept,
            "deleted": len(gone),
            "refused": (bad + _refused(outcome, indexes))[:_MOST_SHOWN],
            "refused_count": len(bad) + len(outcome.refused),
        }


class _AllowList(_Resource):
    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        response.media = self._ask(
            lambda runtime: [show_allowance(each) for each in runtime.suspicion.allowed.by_number.values()]
        )

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Let a source pass: `{"value": "198.51.100.0/24", "comment": "why", "duration_s": 0}`."""
        media = request.get_media()
        if not isinstance(media, dict) or not isinstance(media.get("comment"), str) or not media["comment"]:
            raise falcon.HTTPBadRequest(description='send {"value": "198.51.100.0/24", "comment": "why"}')
        source, duration = read_source(media.get("value")), media.get("duration_s", 0)
        if not isinstance(duration, int | float) or not 0 <= duration <= 1e10:
            raise falcon.HTTPBadRequest(description="duration_s is a number of seconds; 0: for good")
        now, utc, comment = self._outside.now(), self._outside.utc(), media["comment"][:200]
        allowance = self._ask(lambda runtime: runtime.suspicion.allow(now, utc, source, comment, duration))
        response.media = show_allowance(allowance)


class _Allowance(_Resource):
    def on_delete(self, _request: falcon.Request, response: falcon.Response, number: int) -> None:
        now = self._outside.now()
        gone = self._ask(lambda runtime: runtime.suspicion.disallow(now, number))
        if gone is None:
            raise falcon.HTTPNotFound(description=f"no allowance has number {number}")
        response.media = show_allowance(gone)


class _Evidence(_Resource):
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        facts, _, bad = _read_all(_listed(request, "evidence", _MOST_EVIDENCE), read_evidence)
        now, utc = self._outside.now(), self._outside.utc()
        self._ask(lambda runtime: runtime.suspicion.on_evidence(now, utc, facts))
        response.media = {"accepted": len(facts), "refused": bad[:_MOST_SHOWN]}


class _Source(_Resource):
    def on_get(self, _request: falcon.Request, response: falcon.Response, source: str) -> None:
        """Explain a source: its score, the evidence, every decision about it, the allow-list."""
        network, now, utc = read_source(source), self._outside.now(), self._outside.utc()
        response.media = self._ask(lambda runtime: sources.explain(runtime, network, now, utc))


def _carry_out(runtime: Runtime, requests: list[Request], now: float, utc: float) -> Outcome:
    return runtime.suspicion.add(now, utc, requests)


def _end(runtime: Runtime, numbers: list[int], now: float) -> Outcome:
    return runtime.suspicion.delete(now, numbers)


def _receipt(ask: Ask[Any], outside: Outside, number: int) -> dict[str, Any]:
    decision = ask(lambda runtime: runtime.suspicion.ledger.by_number.get(number))
    if decision is None:
        raise falcon.HTTPNotFound(description=f"no decision has number {number}; it may have ended")
    hits = _count_hits(ask, outside, number)
    return {**show_decision(decision), "receipt": ask(lambda runtime: sources.receipt(runtime, number, hits))}


def _count_hits(ask: Ask[Any], outside: Outside, number: int) -> dict[str, int] | None:
    """Ask the switches how often the flows of a decision were hit; None: somebody did not answer in time."""
    rule = f"decisions.{number}"
    ask(lambda runtime: runtime.switches.ask_packets(rule))
    deadline = outside.now() + PATIENCE_S
    while outside.now() < deadline:
        hits: dict[str, int] | None = ask(lambda runtime: runtime.switches.packets(rule))
        if hits is not None:
            return hits
        outside.sleep(STEP_S)
    return None
