"""REST resources over the runtime. A WSGI application; who serves it, and where, is decided in `apps/`.

Every request is carried out by the runtime's one loop, through `ask`. Errors
are JSON objects with `errors`: a list of texts with place and remedy.
"""

from typing import Any

import falcon

from common.config.errors import ConfigErrors
from controller.api import antivirus, bouncers, decisions, members, tokens
from controller.api.auth import forbid
from controller.api.context import Outside, Resource
from controller.api.records import posted
from controller.api.unexpected import tell_unexpected
from controller.compiler.errors import CompileError
from controller.reports import edge as reports
from controller.runtime import Asker
from controller.runtime.commands.members import ListPools, NoteCounts
from controller.runtime.commands.policy import (
    ApplyPolicy,
    ExplainCookie,
    ExplainRule,
    PlanPolicy,
    ReadConsent,
    ReadFlows,
    ReadPolicy,
)
from controller.runtime.commands.switches import ReadStatus
from controller.runtime.principals import AccessRole
from controller.store import StoreError

_LARGEST_BODY_BYTES = 8 * 1024 * 1024


def build_app(ask: Asker, outside: Outside) -> falcon.App[Any, Any]:
    app = falcon.App()
    tell_unexpected(app)
    forbid(app)
    app.add_route("/v1/status", _Status(ask, outside))
    app.add_route("/v1/policy", _Policy(ask, outside))
    app.add_route("/v1/plan", _Plan(ask, outside))
    app.add_route("/v1/flows", _Flows(ask, outside))
    app.add_route("/v1/explain/{what:path}", _Explain(ask, outside))
    app.add_route("/v1/pools", _Pools(ask, outside))
    app.add_route("/v1/tenants/{name}/consent", _Consent(ask, outside))
    decisions.add_routes(app, ask, outside)
    antivirus.add_routes(app, ask, outside)
    members.add_routes(app, ask, outside)
    tokens.add_routes(app, ask, outside)
    app.add_error_handler(ConfigErrors, _refuse)
    app.add_error_handler(CompileError, _refuse)
    app.add_error_handler(StoreError, _cannot_store)
    return app


def build_role_apps(ask: Asker, outside: Outside) -> dict[AccessRole, falcon.App[Any, Any]]:
    """Return what each role but the operator's is given over TCP."""
    return {
        AccessRole.SENSOR: decisions.build_sensor_app(ask, outside),
        AccessRole.MEMBER: members.build_member_app(ask, outside),
        AccessRole.BOUNCER: bouncers.build_bouncer_app(ask, outside),
    }


def _refuse(_request: falcon.Request, response: falcon.Response, error: Exception, _params: object) -> None:
    response.status = falcon.HTTP_422
    response.media = {"errors": str(error).splitlines()}


def _cannot_store(
    _request: falcon.Request, response: falcon.Response, error: Exception, _params: object
) -> None:
    response.status = falcon.HTTP_507
    response.media = {"errors": [str(error)]}


def _posted_policy(request: falcon.Request) -> tuple[str, str]:
    """Return (file name, text). Raise `falcon.HTTPBadRequest` on anything else."""
    media = posted(request, _LARGEST_BODY_BYTES, "a policy")
    if not isinstance(media, dict) or not all(isinstance(media.get(key), str) for key in ("file", "text")):
        raise falcon.HTTPBadRequest(description='send {"file": "name", "text": "the policy"}')
    return media["file"], media["text"]


class _Status(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = reports.status(self._caller(request)(ReadStatus()), self._outside.packet_ins)


class _Policy(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        accepted = self._caller(request)(ReadPolicy())
        if accepted is None:
            raise _no_policy()
        response.media = {"revision": accepted.revision, "file": accepted.file}

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Accept a policy and begin to carry it out; `GET /v1/status` says when it is confirmed."""
        accepted = self._caller(request)(ApplyPolicy(*_posted_policy(request)))
        response.media = {"revision": accepted.revision}


class _Plan(Resource):
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Say what accepting a policy would change, and change nothing."""
        response.media = reports.plan(self._caller(request)(PlanPolicy(*_posted_policy(request))))


class _Flows(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        accepted = self._caller(request)(ReadFlows())
        response.media = reports.show_flows(accepted.policy, accepted.states) if accepted else {}


class _Pools(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Count open sessions now, and list every pool with its members."""
        ask, counts = self._caller(request), self._outside.count_sessions()
        if counts is not None:
            ask.as_controller(NoteCounts(counts))
        response.media = [reports.pool_row(pool) for pool in ask(ListPools())]


class _Explain(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response, what: str) -> None:
        """Explain a cookie (`0x9057...`) or a rule path (`tenants.acme.mail`)."""
        command = ExplainCookie(_cookie(what)) if what.startswith("0x") else ExplainRule(what)
        explanation = self._caller(request)(command)
        if explanation is None:
            raise _no_policy()
        response.media = reports.explain(explanation)


class _Consent(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response, name: str) -> None:
        """Say whether a tenant agrees that personas are learned from its servers, and which these are."""
        found = self._caller(request)(ReadConsent(name))
        if found is None:
            raise falcon.HTTPNotFound(description=f"no tenant is named {name}")
        response.media = reports.consent(found)


def _no_policy() -> falcon.HTTPNotFound:
    return falcon.HTTPNotFound(description="no policy has been accepted yet")


def _cookie(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError as error:
        raise falcon.HTTPBadRequest(description=f"{text!r} is no cookie; write 0x and hex digits") from error
