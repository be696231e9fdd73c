"""REST resources about members of pools, and what a member on its own host may do over TCP."""

import hashlib
from typing import Any

import falcon

from common.wire.codec import to_media
from common.wire.health import HealthReport
from controller.api import antivirus, decisions
from controller.api.auth import forbid
from controller.api.confirm import await_switches
from controller.api.context import Outside, Resource
from controller.api.records import posted, read_record
from controller.api.unexpected import tell_unexpected
from controller.hosts.publish import text_of
from controller.hosts.render import Settings
from controller.pools.roster import UnknownMember
from controller.reports import edge as reports
from controller.runtime import Asker
from controller.runtime.commands.members import (
    DrainMember,
    ReadAgentSettings,
    ReadPoolSettings,
    ReportMember,
)


def add_routes(app: falcon.App[Any, Any], ask: Asker, outside: Outside) -> None:
    app.add_route("/v1/members/{name}", _Member(ask, outside))
    app.add_route("/v1/members/{name}/health", _Health(ask, outside))
    app.add_route("/v1/settings/{pool}", _PoolSettings(ask, outside))
    app.add_error_handler(UnknownMember, _unknown)


def build_member_app(ask: Asker, outside: Outside) -> falcon.App[Any, Any]:
    """What a member may do: read and report about itself and its pool, and post evidence."""
    app = falcon.App()
    tell_unexpected(app)
    forbid(app)
    app.add_route("/v1/members/{name}/health", _Health(ask, outside))
    app.add_route("/v1/settings/{pool}", _PoolSettings(ask, outside))
    app.add_error_handler(UnknownMember, _unknown)
    decisions.add_evidence_route(app, ask, outside)
    antivirus.add_reports_route(app, ask, outside)
    return app


def _unknown(_request: falcon.Request, response: falcon.Response, error: Exception, _params: object) -> None:
    response.status = falcon.HTTP_404
    response.media = {"errors": [str(error)]}


class _Member(Resource):
    def on_post(self, request: falcon.Request, response: falcon.Response, name: str) -> None:
        """Drain a member (`{"drained": true}`), or let it take new sessions again.

        `is_confirmed`: the switches have confirmed it. Before that, session counts say nothing.
        """
        media = posted(request)
        if not isinstance(media, dict) or not isinstance(media.get("drained"), bool):
            raise falcon.HTTPBadRequest(description='send {"drained": true} or {"drained": false}')
        ask = self._caller(request)
        member = ask(DrainMember(name, media["drained"]))
        response.media = {
            **reports.member_row(member, self._outside.now()),
            "is_confirmed": await_switches(ask, with_plans=True),
        }


class _Health(Resource):
    def on_post(self, request: falcon.Request, response: falcon.Response, name: str) -> None:
        """Record an agent's report: `{"good": false, "detail": "why", "stale": "why, if it is"}`."""
        report = read_record(HealthReport, posted(request), 'send {"good": false, "detail": "why"}')
        heard = self._caller(request)(ReportMember(name, report))
        response.media = {
            **reports.member_row(heard.member, self._outside.now()),
            "agent": to_media(heard.agent),
        }

    def on_get(self, request: falcon.Request, response: falcon.Response, name: str) -> None:
        """Return what a member's health agent must check."""
        response.media = {"agent": to_media(self._caller(request)(ReadAgentSettings(name)))}


class _PoolSettings(Resource):
    """The settings for a pool's hosts that share no disk with the controller."""

    def __init__(self, ask: Asker, outside: Outside) -> None:
        super().__init__(ask, outside)
        self._shown: dict[str, tuple[Settings, bytes, str]] = {}

    def on_get(self, request: falcon.Request, response: falcon.Response, pool: str) -> None:
        """Show a pool's settings; with `If-None-Match` (RFC 9110, 13.1.2), only if they have changed."""
        settings = self._caller(request)(ReadPoolSettings(pool))
        if settings is None:
            raise falcon.HTTPNotFound(description=f"{pool}: there is no such pool whose hosts get settings")
        text, tag = self._show(pool, settings)
        response.etag = tag
        if request.if_none_match and tag in request.if_none_match:
            response.status = falcon.HTTP_304
            return
        response.data, response.content_type = text, falcon.MEDIA_JSON

    def _show(self, pool: str, settings: Settings) -> tuple[bytes, str]:
        """Every host asks once per second, so unchanged settings are not serialised again."""
        known = self._shown.get(pool)
        if known is None or known[0] is not settings:
            text = text_of(settings).encode()
            known = self._shown[pool] = settings, text, hashlib.sha256(text).hexdigest()[:32]
        return known[1], known[2]
