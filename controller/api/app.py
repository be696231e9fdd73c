"""REST resources over the runtime. A WSGI application; `apps/` decides where it is served.

The runtime's one loop executes every request, through `ask`. Errors are JSON
objects with `errors`: a list of texts with place and remedy.
"""

from typing import Any

import falcon

from controller.api import antivirus, bouncers, decisions, members, policies, proofs, tokens
from controller.api.auth import forbid
from controller.api.context import Outside, Resource
from controller.api.policies import no_policy
from controller.api.receipts import look_up
from controller.api.records import posted
from controller.api.unexpected import tell_unexpected
from controller.reports import drift as drift_reports
from controller.reports import edge as reports
from controller.reports import proofs as proof_reports
from controller.reports import rules
from controller.runtime import Asker, StillStarting
from controller.runtime.commands.drift import ReadDrift
from controller.runtime.commands.members import ListPools, NoteCounts
from controller.runtime.commands.policy import (
    ExplainCookie,
    ExplainRule,
    Explanation,
    ListFlows,
    ReadConsent,
    ReadFlows,
)
from controller.runtime.commands.proofs import ReadProof
from controller.runtime.commands.switches import AcceptBridge, ReadStatus
from controller.runtime.principals import AccessRole
from controller.store import StoreError

_STARTS_WITHIN_S = 2


def build_app(ask: Asker, outside: Outside) -> falcon.App[Any, Any]:
    app = falcon.App()
    tell_unexpected(app)
    forbid(app)
    app.add_route("/v1/status", _Status(ask, outside))
    app.add_route("/v1/drift", _Drift(ask, outside))
    policies.add_routes(app, ask, outside)
    app.add_route("/v1/flows", _Flows(ask, outside))
    app.add_route("/v1/explain/{what:path}", _Explain(ask, outside))
    app.add_route("/v1/switches/{name}", _Switch(ask, outside))
    app.add_route("/v1/pools", _Pools(ask, outside))
    app.add_route("/v1/tenants/{name}/consent", _Consent(ask, outside))
    decisions.add_routes(app, ask, outside)
    antivirus.add_routes(app, ask, outside)
    members.add_routes(app, ask, outside)
    tokens.add_routes(app, ask, outside)
    proofs.add_routes(app, ask, outside)
    app.add_error_handler(StoreError, _cannot_store)
    app.add_error_handler(StillStarting, _tell_to_wait)
    return app


def build_role_apps(ask: Asker, outside: Outside) -> dict[AccessRole, falcon.App[Any, Any]]:
    """Return the application of each role over TCP, except the operator's."""
    return {
        AccessRole.SENSOR: decisions.build_sensor_app(ask, outside),
        AccessRole.MEMBER: members.build_member_app(ask, outside),
        AccessRole.BOUNCER: bouncers.build_bouncer_app(ask, outside),
    }


def _cannot_store(
    _request: falcon.Request, response: falcon.Response, error: Exception, _params: object
) -> None:
    response.status = falcon.HTTP_507
    response.media = {"errors": [str(error)]}


def _tell_to_wait(
    _request: falcon.Request, response: falcon.Response, error: Exception, _params: object
) -> None:
    response.status, response.retry_after = falcon.HTTP_503, _STARTS_WITHIN_S
    response.media = {"errors": [str(error)]}


class _Status(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        caller = self._caller(request)
        status = reports.status(caller(ReadStatus()), self._outside.packet_ins)
        response.media = {**status, "proof": proof_reports.brief(caller(ReadProof()))}


class _Switch(Resource):
    def on_post(self, request: falcon.Request, response: falcon.Response, name: str) -> None:
        """Take a switch's bridge as it is now for good, and no longer as drift (`{"accepted": true}`)."""
        media = posted(request)
        if not isinstance(media, dict) or media.get("accepted") is not True:
            raise falcon.HTTPBadRequest(description='send {"accepted": true}')
        if not self._caller(request)(AcceptBridge(name)):
            raise falcon.HTTPNotFound(
                description=f"no switch {name} is connected, and no bridge of this machine belongs to it"
            )
        response.media = {"accepted": True}


class _Drift(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Return how switches differ from what they should hold, and what was repaired in the last hour."""
        response.media = drift_reports.drift(self._caller(request)(ReadDrift()))


class _Flows(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Return each switch's flows in words; `counts`: as records, with what the switch holds of them now.

        `switch`: only this one.
        """
        ask, switch = self._caller(request), request.get_param("switch", default="")
        if request.get_param_as_bool("counts", default=False):
            flows = ask(ListFlows(switch))
            seen = look_up(ask, (each.cookie for each in flows))
            response.media = rules.counted_flows(flows, seen)
            return
        accepted = ask(ReadFlows())
        response.media = reports.show_flows(accepted.policy, accepted.states) if accepted else {}


class _Pools(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Count open sessions now, and list every pool with its members."""
        ask, counts = self._caller(request), self._outside.count_sessions()
        ask.as_controller(NoteCounts(counts))
        now = self._outside.now()
        response.media = [reports.pool_row(pool, now) for pool in ask(ListPools())]


class _Explain(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response, what: str) -> None:
        """Explain a cookie (`0x9057...`) or a rule path (`tenants.acme.mail`)."""
        command = ExplainCookie(_cookie(what)) if what.startswith("0x") else ExplainRule(what)
        ask = self._caller(request)
        explanation = ask(command)
        if explanation is None:
            raise no_policy()
        flows = explanation.flows if isinstance(explanation, Explanation) else ()
        response.media = rules.explain(explanation, look_up(ask, (each.cookie for each in flows)))


class _Consent(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response, name: str) -> None:
        """Return whether a tenant consents to learning personas from its servers, and its published ports."""
        found = self._caller(request)(ReadConsent(name))
        if found is None:
            raise falcon.HTTPNotFound(description=f"no tenant is named {name}")
        response.media = reports.consent(found)


def _cookie(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError as error:
        description = f"{text!r} is not a valid cookie; write 0x and hex digits"
        raise falcon.HTTPBadRequest(description=description) from error
