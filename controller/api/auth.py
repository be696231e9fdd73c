"""The API over TCP: a token is required, and its role limits what it may do. A WSGI application."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import falcon

from controller.api.context import PRINCIPAL
from controller.runtime import Asked, Asker
from controller.runtime.commands.tokens import IdentifyBearer
from controller.runtime.permissions import Forbidden
from controller.runtime.principals import CONTROLLER, AccessRole

App = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Gate:
    """`apps`: the application of each role. A path that is not in it does not exist for the role."""

    def __init__(self, asker: Asker, utc: Callable[[], float], apps: Mapping[AccessRole, App]) -> None:
        self._asker, self._utc, self._apps = asker, utc, apps

    def __call__(self, environment: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        token = _token_in(environment)
        identify = Asked(IdentifyBearer(token), CONTROLLER, "a request over TCP", self._utc())
        principal = self._asker(identify) if token else None
        if principal is None:
            head = [("Content-Type", "application/json"), ("WWW-Authenticate", 'Bearer realm="postern"')]
            start_response("401 Unauthorized", head)
            return [b'{"errors": ["no valid token; remedy: postern token add NAME --role ROLE"]}']
        environment[PRINCIPAL] = principal
        return self._apps[principal.role](environment, start_response)


def forbid(app: falcon.App[Any, Any]) -> None:
    """Make the application answer 403 to what a role may not do."""
    app.add_error_handler(Forbidden, _forbid)


def _forbid(_request: falcon.Request, _response: falcon.Response, error: Exception, _params: object) -> None:
    raise falcon.HTTPForbidden(description=str(error))


def _token_in(environment: dict[str, Any]) -> str:
    """Return the token of `Authorization: Bearer` (RFC 6750, 2.1), or of `X-Api-Key`, which bouncers send."""
    scheme, _, token = str(environment.get("HTTP_AUTHORIZATION", "")).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else str(environment.get("HTTP_X_API_KEY", ""))
