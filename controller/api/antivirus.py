"""REST resources about anti-virus servers and their clients."""

from typing import Any

import falcon

from common.wire.signatures import ServerReport
from controller.api.context import Outside, Resource
from controller.api.records import posted, read_record
from controller.reports import antivirus as reports
from controller.runtime import Asker
from controller.runtime.commands.antivirus import ReadFleet, ReportAntivirus

_LARGEST_BODY_BYTES = 1024 * 1024
_LONGEST_NAME, _LONGEST_ERROR = 100, 200


def add_routes(app: falcon.App[Any, Any], ask: Asker, outside: Outside) -> None:
    add_reports_route(app, ask, outside)
    app.add_route("/v1/antivirus/fleet", _Fleet(ask, outside))


def add_reports_route(app: falcon.App[Any, Any], ask: Asker, outside: Outside) -> None:
    app.add_route("/v1/antivirus/reports", _Reports(ask, outside))


class _Reports(Resource):
    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Take what an anti-virus server says about its own state, and what agents reported to it."""
        media = posted(request, _LARGEST_BODY_BYTES)
        said = read_record(ServerReport, media, 'send {"server": "av1", "reports": [...]}')
        accepted = self._caller(request)(ReportAntivirus(said.server, said.rings, said.error, said.reports))
        response.media = {"accepted": accepted}


class _Fleet(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """List rings, servers and clients; `tenant` and `stale` choose."""
        tenant = request.get_param("tenant", default="")
        only_stale = request.get_param_as_bool("stale", default=False)
        response.media = reports.fleet(self._caller(request)(ReadFleet(tenant, only_stale)))
