"""REST resources about anti-virus servers and their clients."""

from typing import Any

import falcon

from controller.antivirus.fleet import read_report, read_rings
from controller.api.auth import keep_to_itself
from controller.api.context import Ask, Outside
from controller.reports import antivirus as reports

_MOST_REPORTS = 1_000
_LARGEST_BODY_BYTES = 1024 * 1024


def add_routes(app: falcon.App[Any, Any], ask: Ask[Any], outside: Outside) -> None:
    add_reports_route(app, ask, outside)
    app.add_route("/v1/antivirus/fleet", _Fleet(ask, outside))


def add_reports_route(app: falcon.App[Any, Any], ask: Ask[Any], outside: Outside) -> None:
    app.add_route("/v1/antivirus/reports", _Reports(ask, outside))


class _Reports:
    def __init__(self, ask: Ask[Any], outside: Outside) -> None:
        self._ask, self._outside = ask, outside

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Take what an anti-virus server says of itself, and what agents told it."""
        if (request.content_length or 0) > _LARGEST_BODY_BYTES:
            raise falcon.HTTPContentTooLarge(description=f"at most {_LARGEST_BODY_BYTES} bytes")
        media = request.get_media()
        told = media.get("reports") if isinstance(media, dict) else None
        name = media.get("server") if isinstance(media, dict) else None
        if not isinstance(name, str) or not isinstance(told, list) or len(told) > _MOST_REPORTS:
            raise falcon.HTTPBadRequest(description='send {"server": "av1", "rings": {}, "reports": [...]}')
        keep_to_itself(request, name=name)
        now = self._outside.now()
        readable = [report for report in map(read_report, told) if report]
        rings, error = read_rings(media.get("rings")), str(media.get("error") or "")[:200]
        self._ask(lambda runtime: runtime.antivirus.on_server(now, name[:100], rings, error))
        accepted = self._ask(lambda runtime: runtime.antivirus.on_reports(now, name[:100], readable))
        response.media = {"accepted": accepted}


class _Fleet:
    def __init__(self, ask: Ask[Any], outside: Outside) -> None:
        self._ask, self._outside = ask, outside

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """List rings, servers and clients; `tenant` and `stale` choose."""
        now, tenant = self._outside.now(), request.get_param("tenant", default="")
        only_stale = request.get_param_as_bool("stale", default=False)
        response.media = self._ask(
            lambda runtime: reports.fleet(runtime.antivirus.fleet, now, tenant, only_stale)
        )
