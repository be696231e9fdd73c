"""REST resources over the runtime. A WSGI application; who serves it, and where, is decided in `apps/`.

Every request is carried out by the runtime's one loop, through `ask`. Errors
are JSON objects with `errors`: a list of texts with place and remedy.
"""

from typing import Any

import falcon

from common.config.errors import ConfigErrors
from controller.api import antivirus, bouncers, decisions, members, tokens
from controller.api.context import Ask, Outside
from controller.api.unexpected import tell_unexpected
from controller.compiler.errors import CompileError
from controller.reports import edge as reports
from controller.runtime import Runtime
from controller.runtime.tokens import Role
from controller.store import StoreError
from controller.topology.homes import moved_homes

_LARGEST_BODY_BYTES = 8 * 1024 * 1024


def build_app(ask: Ask[Any], outside: Outside) -> falcon.App[Any, Any]:
    app = falcon.App()
    tell_unexpected(app)
    app.add_route("/v1/status", _Status(ask, outside))
    app.add_route("/v1/policy", _Policy(ask, outside))
    app.add_route("/v1/plan", _Plan(ask))
    app.add_route("/v1/flows", _Flows(ask))
    app.add_route("/v1/explain/{what:path}", _Explain(ask))
    app.add_route("/v1/pools", _Pools(ask, outside))
    app.add_route("/v1/tenants/{name}/consent", _Consent(ask))
    decisions.add_routes(app, ask, outside)
    antivirus.add_routes(app, ask, outside)
    members.add_routes(app, ask, outside)
    tokens.add_routes(app, ask)
    app.add_error_handler(ConfigErrors, _refuse)
    app.add_error_handler(CompileError, _refuse)
    app.add_error_handler(StoreError, _cannot_store)
    return app


def build_role_apps(ask: Ask[Any], outside: Outside) -> dict[Role, falcon.App[Any, Any]]:
    """Return what each role but the operator's is given over TCP."""
    return {
        Role.SENSOR: decisions.build_sensor_app(ask, outside),
        Role.MEMBER: members.build_member_app(ask, outside),
        Role.BOUNCER: bouncers.build_bouncer_app(ask, outside),
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
    if (request.content_length or 0) > _LARGEST_BODY_BYTES:
        raise falcon.HTTPContentTooLarge(description=f"a policy holds {_LARGEST_BODY_BYTES} bytes at most")
    media = request.get_media()
    if not isinstance(media, dict) or not all(isinstance(media.get(key), str) for key in ("file", "text")):
        raise falcon.HTTPBadRequest(description='send {"file": "name", "text": "the policy"}')
    return media["file"], media["text"]


class _Status:
    def __init__(self, ask: Ask[Any], outside: Outside) -> None:
        self._ask, self._outside = ask, outside

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        response.media = self._ask(lambda runtime: reports.status(runtime, self._outside.packet_ins))


class _Policy:
    def __init__(self, ask: Ask[Any], outside: Outside) -> None:
        self._ask, self._outside = ask, outside

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        accepted = self._ask(lambda runtime: runtime.accepted)
        if accepted is None:
            raise falcon.HTTPNotFound(description="no policy has been accepted yet")
        response.media = {"revision": accepted.revision, "file": accepted.file}

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Accept a policy and begin to carry it out; `GET /v1/status` says when it is confirmed."""
        file, text = _posted_policy(request)
        accepted = self._ask(lambda runtime: runtime.submit(self._outside.now(), file, text))
        response.media = {"revision": accepted.revision}


class _Plan:
    def __init__(self, ask: Ask[Any]) -> None:
        self._ask = ask

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Say what accepting a policy would change, and change nothing."""
        file, text = _posted_policy(request)
        response.media = self._ask(lambda runtime: _preview(runtime, file, text))


def _preview(runtime: Runtime, file: str, text: str) -> dict[str, Any]:
    policy, states = runtime.preview(file, text)
    after = reports.show_flows(policy, states)
    accepted = runtime.accepted
    before = reports.show_flows(accepted.policy, accepted.states) if accepted else {}
    plans = {name: str(runtime.plan_for(name, state)) for name, state in states.items()}
    warnings = moved_homes(accepted.policy, policy) if accepted else []
    return {"switches": reports.compare_flows(before, after), "plans": plans, "warnings": warnings}


class _Flows:
    def __init__(self, ask: Ask[Any]) -> None:
        self._ask = ask

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        accepted = self._ask(lambda runtime: runtime.accepted)
        response.media = reports.show_flows(accepted.policy, accepted.states) if accepted else {}


class _Pools:
    def __init__(self, ask: Ask[Any], outside: Outside) -> None:
        self._ask, self._outside = ask, outside

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        """Count open sessions now, and list every pool with its members."""
        counts, now = self._outside.count_sessions(), self._outside.now()
        if counts is not None:
            self._ask(lambda runtime: runtime.on_counts(now, counts))
        response.media = self._ask(lambda runtime: reports.pools(runtime))


class _Explain:
    def __init__(self, ask: Ask[Any]) -> None:
        self._ask = ask

    def on_get(self, _request: falcon.Request, response: falcon.Response, what: str) -> None:
        """Explain a cookie (`0x9057...`) or a rule path (`tenants.acme.mail`)."""
        accepted = self._ask(lambda runtime: runtime.accepted)
        if accepted is None:
            raise falcon.HTTPNotFound(description="no policy has been accepted yet")
        is_cookie = what.startswith("0x")
        response.media = (
            reports.explain_cookie(accepted, _cookie(what))
            if is_cookie
            else reports.explain_rule(accepted, what)
        )


class _Consent:
    def __init__(self, ask: Ask[Any]) -> None:
        self._ask = ask

    def on_get(self, _request: falcon.Request, response: falcon.Response, name: str) -> None:
        """Say whether a tenant agrees that personas are learned from his servers, and which these are."""
        found = self._ask(lambda runtime: reports.consent(runtime, name))
        if found is None:
            raise falcon.HTTPNotFound(description=f"no tenant is named {name}")
        response.media = found


def _cookie(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError as error:
        raise falcon.HTTPBadRequest(description=f"{text!r} is no cookie; write 0x and hex digits") from error
