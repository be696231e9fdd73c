"""REST resources about access to the API over TCP."""

import re
from typing import Any

import falcon

from controller.api.context import Outside, Resource
from controller.api.records import posted
from controller.runtime import Asker
from controller.runtime.commands.tokens import AddToken, EndToken, ListTokens
from controller.runtime.principals import BEARER_ROLES, AccessRole
from controller.runtime.tokens import TokenExists

_NAME = re.compile(r"[a-z0-9][a-z0-9._:-]{0,62}")


def add_routes(app: falcon.App[Any, Any], ask: Asker, outside: Outside) -> None:
    app.add_route("/v1/tokens", _Tokens(ask, outside))
    app.add_route("/v1/tokens/{name}", _Token(ask, outside))


class _Tokens(Resource):
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        bearers = self._caller(request)(ListTokens())
        response.media = [{"name": each.name, "role": each.role.value} for each in bearers]

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Make a token: `{"name": "firewall1", "role": "bouncer"}`. It is shown this once."""
        media = posted(request)
        name, role = (media.get(key) for key in ("name", "role")) if isinstance(media, dict) else (None, None)
        roles = [each.value for each in BEARER_ROLES]
        if not isinstance(name, str) or not _NAME.fullmatch(name) or role not in roles:
            raise falcon.HTTPBadRequest(
                description=f'send {{"name": "firewall1", "role": "bouncer"}}; roles are {", ".join(roles)}'
            )
        try:
            token = self._caller(request)(AddToken(name, AccessRole(role)))
        except TokenExists as error:
            raise falcon.HTTPConflict(
                description=f"{name} has a token; remedy: postern token delete {name}"
            ) from error
        response.media = {"name": name, "role": role, "token": token}


class _Token(Resource):
    def on_delete(self, request: falcon.Request, response: falcon.Response, name: str) -> None:
        if not self._caller(request)(EndToken(name)):
            raise falcon.HTTPNotFound(description=f"nobody named {name} has a token")
        response.media = {"name": name}
