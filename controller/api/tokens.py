"""REST resources about who may use the API over TCP."""

import re
from typing import Any

import falcon

from controller.api.context import Ask
from controller.runtime.tokens import Role

_NAME = re.compile(r"[a-z0-9][a-z0-9._:-]{0,62}")


def add_routes(app: falcon.App[Any, Any], ask: Ask[Any]) -> None:
    app.add_route("/v1/tokens", _Tokens(ask))
    app.add_route("/v1/tokens/{name}", _Token(ask))


class _Tokens:
    def __init__(self, ask: Ask[Any]) -> None:
        self._ask = ask

    def on_get(self, _request: falcon.Request, response: falcon.Response) -> None:
        bearers = self._ask(lambda runtime: runtime.tokens.bearers)
        response.media = [{"name": each.name, "role": each.role.value} for each in bearers.values()]

    def on_post(self, request: falcon.Request, response: falcon.Response) -> None:
        """Make a token: `{"name": "firewall1", "role": "bouncer"}`. It is shown this once."""
        media = request.get_media()
        name, role = (media.get(key) for key in ("name", "role")) if isinstance(media, dict) else (None, None)
        roles = [each.value for each in Role]
        if not isinstance(name, str) or not _NAME.fullmatch(name) or role not in roles:
            raise falcon.HTTPBadRequest(
                description=f'send {{"name": "firewall1", "role": "bouncer"}}; roles are {", ".join(roles)}'
            )
        try:
            token = self._ask(lambda runtime: runtime.tokens.make(name, Role(role)))
        except KeyError as error:
            raise falcon.HTTPConflict(
                description=f"{name} has a token; remedy: postern token delete {name}"
            ) from error
        response.media = {"name": name, "role": role, "token": token}


class _Token:
    def __init__(self, ask: Ask[Any]) -> None:
        self._ask = ask

    def on_delete(self, _request: falcon.Request, response: falcon.Response, name: str) -> None:
        if not self._ask(lambda runtime: runtime.tokens.end(name)):
            raise falcon.HTTPNotFound(description=f"nobody named {name} has a token")
        response.media = {"name": name}
