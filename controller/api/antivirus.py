"""REST resources about anti-virus servers and their clients."""

from typing import Any

import falcon

from common.wire.signatures import ServerReport
from controller.api.auth import keep_to_itself
from controller.api.context import Ask, Outside
from controller.api.records import read_record
from controller.reports import antivirus as reports

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
        said = read_record(ServerReport, request.get_media(), 'send {"server": "av1", "reports": [...]}')
        keep_to_itself(request, name=said.server)
        now = self._outside.now()
        self._ask(lambda runtime: runtime.antivirus.on_server(now, said.server, said.rings, said.error))
        accepted = self._ask(lambda runtime: runtime.antivirus.on_reports(now, said.server, said.reports))
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
