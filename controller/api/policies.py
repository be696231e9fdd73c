"""REST resources about the policy: apply it, plan it, and what switches were sent for it."""

from dataclasses import dataclass
from typing import Any

import falcon

from common.config.errors import ConfigErrors
from common.wire.plans import PlannedState
from controller.api.context import Outside, Resource
from controller.api.proving import apply_when_proved
from controller.api.records import posted, read_record
from controller.compiler.errors import CompileError
from controller.plans.state import PlanOutdated
from controller.pools.conntrack import Counts
from controller.reports import plans as reports
from controller.runtime import Asker
from controller.runtime.commands.policy import ApplyPolicy, PlanPolicy, ReadDelivery, ReadPolicy
from controller.runtime.gate import ProofPending, ProofRefused

_LARGEST_BODY_BYTES = 8 * 1024 * 1024 + 64 * 1024  # a policy, and the state for which it was planned
_A_POLICY = 'send {"file": "name", "text": "the policy"}'
_A_REASON = "a policy without a proof needs a reason; remedy: give one (--reason)"
_A_STATE = "send the `state` of the answer to POST /v1/plan"


def add_routes(app: falcon.App[Any, Any], ask: Asker, outside: Outside) -> None:
    app.add_route("/v1/policy", _Policy(ask, outside))
    app.add_route("/v1/policy/delivery", _Delivery(ask, outside))
    app.add_route("/v1/plan", _Plan(ask, outside))
    app.add_error_handler(ConfigErrors, _refuse)
    app.add_error_handler(CompileError, _refuse)
    app.add_error_handler(PlanOutdated, _refuse_outdated)
    app.add_error_handler(ProofRefused, _refuse)
    app.add_error_handler(ProofPending, _tell_to_wait)


def no_policy() -> falcon.HTTPNotFound:
    return falcon.HTTPNotFound(description="no policy has been accepted yet")


def _refuse(_request: falcon.Request, response: falcon.Response, error: Exception, _params: object) -> None:
    response.status = falcon.HTTP_422
    response.media = {"errors": str(error).splitlines()}


def _refuse_outdated(
    _request: falcon.Request, response: falcon.Response, error: Exception, _params: object
) -> None:
    response.status = falcon.HTTP_409
    response.media = {"errors": str(error).splitlines()}


def _tell_to_wait(
    _request: falcon.Request, response: falcon.Response, error: Exception, _params: object
) -> None:
    response.status = falcon.HTTP_202
    response.media = {"waiting": str(error)}


@dataclass(frozen=True, slots=True)
class _Posted:
    """`wants`: further things that a client asks for, by key."""

    file: str
    text: str
    wants: dict[str, object]

    def is_wanted(self, key: str, default: bool) -> bool:
        wanted = self.wants.get(key, default)
        if not isinstance(wanted, bool):
            raise falcon.HTTPBadRequest(description=f"{key}: true or false is expected")
        return wanted


def _posted_policy(request: falcon.Request) -> _Posted:
    """Return what was posted. Raise `falcon.HTTPBadRequest` on anything else."""
    media = posted(request, _LARGEST_BODY_BYTES, "a policy")
    if not isinstance(media, dict) or not all(isinstance(media.get(key), str) for key in ("file", "text")):
        raise falcon.HTTPBadRequest(description=_A_POLICY)
    return _Posted(media["file"], media["text"], media)


class _Policy(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        accepted = self._caller(request)(ReadPolicy())
        if accepted is None:
            raise no_policy()
        response.media = {"revision": accepted.revision, "file": accepted.file}

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Accept a policy and begin to apply it; `GET /v1/policy/delivery` says what switches were sent.

        `state`: refuse with 409 if the edge is no longer in this state. `describe`: answer with the plan.
        `unproved`: do not wait for the proof. While the proof is not finished, the answer is 202 with
        `waiting`: nothing has changed, and the same request is to be sent again.
        """
        given = _posted_policy(request)
        planned = given.wants.get("state")
        state = None if planned is None else read_record(PlannedState, planned, _A_STATE)
        is_described = given.is_wanted("describe", False)
        counts = self._count() if is_described else None
        ask, is_unproved = self._caller(request), given.is_wanted("unproved", False)
        if is_unproved and not ask.reason:
            raise falcon.HTTPBadRequest(description=_A_REASON)
        command = ApplyPolicy(given.file, given.text, state, is_described, counts, is_unproved)
        applied = apply_when_proved(ask, command)
        plan = {"plan": reports.plan(applied.plan)} if applied.plan else {}
        response.media = {"revision": applied.revision, **plan}

    def _count(self) -> Counts | None:
        return self._outside.count_sessions()


class _Delivery(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Return what each switch was sent for the last accepted policy, held against what was planned."""
        response.media = reports.delivery(self._caller(request)(ReadDelivery()))


class _Plan(Resource):
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Show what accepting a policy would do now, and change nothing; `flows`: also flows in words."""
        given = _posted_policy(request)
        has_flows = given.is_wanted("flows", True)
        counts = self._outside.count_sessions()
        planned = self._caller(request)(PlanPolicy(given.file, given.text, has_flows, counts))
        response.media = reports.plan(planned)
