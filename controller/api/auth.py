"""The API over TCP: nobody without a token, and each bearer only what his role is for. A WSGI application."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import falcon

from controller.api.context import Ask
from controller.runtime.tokens import Bearer, Role

App = Callable[[dict[str, Any], Any], Iterable[bytes]]
BEARER = "postern.bearer"  # in the environment that the application behind is given


class Gate:
    """`apps`: who answers a role. What stands in no role's application does not exist for it."""

    def __init__(self, ask: Ask[Any], apps: Mapping[Role, App]) -> None:
        self._ask = ask
        self._apps = apps

    def __call__(self, environment: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        token = _token_in(environment)
        bearer: Bearer | None = self._ask(lambda runtime: runtime.tokens.bearer(token)) if token else None
        if bearer is None:
            head = [("Content-Type", "application/json"), ("WWW-Authenticate", 'Bearer realm="postern"')]
            start_response("401 Unauthorized", head)
            return [b'{"errors": ["no valid token; remedy: postern token add NAME --role ROLE"]}']
        environment[BEARER] = bearer
        return self._apps[bearer.role](environment, start_response)


def keep_to_itself(request: falcon.Request, **asked: str) -> None:
    """Raise `falcon.HTTPForbidden` if a member asks about another one.

    `asked` has one key: `path` (POOL.NAME), `pool` or `name`, whose value must be the bearer's own.
    """
    bearer: Bearer | None = request.env.get(BEARER)
    if bearer is None or bearer.role is not Role.MEMBER:
        return
    pool, _, name = bearer.name.partition(".")
    own = {"path": bearer.name, "pool": pool, "name": name}
    for what, value in asked.items():
        if value != own[what]:
            raise falcon.HTTPForbidden(description=f"{bearer.name} has to do with {own[what]} only")


def _token_in(environment: dict[str, Any]) -> str:
    """Return the token of `Authorization: Bearer` (RFC 6750, 2.1), or of `X-Api-Key` as bouncers send it."""
    scheme, _, token = str(environment.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else str(environment.get("HTTP_X_API_KEY", ""))
