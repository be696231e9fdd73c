from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pytest
from falcon import testing

from controller.api.app import build_app
from controller.api.context import PRINCIPAL, Outside
from controller.pools.conntrack import Counts
from controller.runtime import Asked
from controller.runtime.commands.base import Command
from controller.runtime.principals import CONTROLLER, OPERATOR, Principal
from tests.world import FakeChannel, World

R = TypeVar("R")


def identified(app: Any, by: Principal) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """Return the application as a server has it that knows its client: the unix socket, for example."""

    def serve(environment: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        answer: Iterable[bytes] = app({**environment, PRINCIPAL: by}, start_response)
        return answer

    return serve


class Northbound:
    """The API over a real runtime with one fake switch, which answers at once."""

    def __init__(self) -> None:
        self.world = World()
        self.channel: FakeChannel | None = None
        self.sessions: dict[str, int] | None = None  # by member's MAC
        self.outside = Outside(
            lambda: self.world.now, {1: 3}, self._count, lambda: self.world.utc, self._sleep
        )
        self.app = build_app(self.ask, self.outside)
        self.as_operator = identified(self.app, OPERATOR)
        self.http = testing.TestClient(self.as_operator)

    def _count(self) -> Counts | None:
        return None if self.sessions is None else Counts(self.sessions)

    def _sleep(self, seconds: float) -> None:
        self.world.now += seconds
        if self.channel is not None:
            self.world.settle(self.channel)

    def start(self) -> None:
        self.world.start()

    def connect(self) -> FakeChannel:
        self.channel = self.world.connect()
        self.world.settle(self.channel)
        return self.channel

    def ask_as_controller(self, command: Command[R]) -> R:
        return self.ask(Asked(command, CONTROLLER, "a test", self.world.utc))

    def settle(self) -> None:
        if self.channel is not None:
            self.world.settle(self.channel)

    def ask(self, asked: Asked[R]) -> R:
        answer = self.world.ask(asked)
        if self.channel is not None:
            self.world.settle(self.channel)
        return answer


@pytest.fixture
def bare() -> Northbound:
    """A controller that has no policy yet."""
    return Northbound()


@pytest.fixture
def api(bare: Northbound) -> Northbound:
    """A controller with the demo's policy on its one switch."""
    bare.start()
    bare.connect()
    return bare
