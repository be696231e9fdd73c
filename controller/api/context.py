"""What resources of the API need from their server, and how they send a client's commands to the runtime."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import falcon

from common.reason import HEADER, ReasonError, decode_reason
from controller.pools.conntrack import Counts
from controller.runtime import Asked, Asker
from controller.runtime.commands.base import Command
from controller.runtime.principals import CONTROLLER, Principal

R = TypeVar("R")
# In the WSGI environment: the client, as the server or its token identifies it.
PRINCIPAL = "postern.principal"


@dataclass(frozen=True, slots=True)
class Outside:
    now: Callable[[], float]
    packet_ins: Mapping[int, int]
    count_sessions: Callable[[], Counts | None]  # None: cannot be counted here
    utc: Callable[[], float]
    sleep: Callable[[float], None]  # lets other requests proceed meanwhile


@dataclass(frozen=True, slots=True)
class Caller:
    """Asks the runtime on behalf of the client of one request. `reason`: the client's, possibly empty."""

    asker: Asker
    outside: Outside
    by: Principal
    reason: str

    def __call__(self, command: Command[R]) -> R:
        return self.asker(Asked(command, self.by, self.reason, self.outside.utc()))

    def as_controller(self, command: Command[R]) -> R:
        """Ask on the controller's own behalf, about what it has measured itself."""
        return self.asker(Asked(command, CONTROLLER, "a request to the API", self.outside.utc()))


class Resource:
    """A resource of the API; `_caller` returns the client's access to the runtime."""

    def __init__(self, asker: Asker, outside: Outside) -> None:
        self._asker, self._outside = asker, outside

    def _caller(self, request: falcon.Request) -> Caller:
        return Caller(self._asker, self._outside, principal_of(request), _reason_of(request))


def principal_of(request: falcon.Request) -> Principal:
    """Return the client that the server has identified. Raise `falcon.HTTPUnauthorized` if it has not."""
    principal = request.env.get(PRINCIPAL)
    if not isinstance(principal, Principal):
        raise falcon.HTTPUnauthorized(description="the server has not identified the client")
    return principal


def _reason_of(request: falcon.Request) -> str:
    """Return why the client asks, in its own words. Raise `falcon.HTTPBadRequest`."""
    try:
        return decode_reason(request.get_header(HEADER, default=""))
    except ReasonError as error:
        raise falcon.HTTPBadRequest(description=f"{HEADER}: {error}") from error
