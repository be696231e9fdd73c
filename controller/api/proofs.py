"""The standing proof over HTTP: read it, or demand a new one."""

from typing import Any

import falcon

from controller.api.context import Outside, Resource
from controller.api.records import posted
from controller.reports import proofs as reports
from controller.runtime import Asker
from controller.runtime.commands.proofs import DemandProof, ReadProof


def add_routes(app: falcon.App[Any, Any], ask: Asker, outside: Outside) -> None:
    app.add_route("/v1/proof", _Proof(ask, outside))


class _Proof(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = reports.proof(self._caller(request)(ReadProof()))

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Begin a proof of what the switches hold now.

        It is made when `GET` has `last` with this number, or a higher one.
        """
        if request.content_length:
            posted(request)  # it says nothing; but a body that is left unread resets the connection
        response.media = {"number": self._caller(request)(DemandProof())}
