from collections.abc import Callable
from typing import Any

import pytest
from falcon import testing

from controller.api.app import build_app
from controller.api.context import Outside
from controller.pools.conntrack import Counts
from controller.runtime import Runtime
from tests.world import DEMO, UTC, FakeChannel, World


class Northbound:
    """The API over a real runtime with one fake switch, which answers at once."""

    def __init__(self) -> None:
        self.world = World()
        self.channel: FakeChannel | None = None
        self.sessions: dict[str, int] | None = None  # by member's MAC
        outside = Outside(
            lambda: self.world.now, {1: 3}, self._count, lambda: UTC + self.world.now, self._sleep
        )
        self.app = build_app(self._ask, outside)
        self.http = testing.TestClient(self.app)

    def _count(self) -> Counts | None:
        return None if self.sessions is None else Counts(self.sessions)

    def _sleep(self, seconds: float) -> None:
        self.world.now += seconds
        if self.channel is not None:
            self.world.settle(self.channel)

    def start(self) -> None:
        self.world.runtime.start(0.0, UTC, "demo.yaml", DEMO)

    def connect(self) -> FakeChannel:
        self.channel = self.world.connect()
        self.world.settle(self.channel)
        return self.channel

    def _ask(self, work: Callable[[Runtime], Any]) -> Any:
        answer = work(self.world.runtime)
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
