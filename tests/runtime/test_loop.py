"""The loop that calls the runtime: before it has started, and when much waits in its queue."""

from collections.abc import Iterator
from typing import Any

import pytest
from ryu.lib import hub

from apps.loop import RuntimeLoop
from common.wire.health import HealthReport
from controller.runtime import Asked, StillStarting
from controller.runtime.commands.members import DrainMember, ReportMember
from controller.runtime.commands.policy import ReadPolicy
from controller.runtime.events import TimePassed
from controller.runtime.principals import CONTROLLER
from tests.world import DEMO, World


class Looped:
    """A loop around the runtime of a `World`."""

    def __init__(self) -> None:
        self.world = World()
        self.loop = RuntimeLoop(self.world.runtime)
        self._threads: list[Any] = []

    def spawn(self) -> None:
        self._threads.append(hub.spawn(self.loop.run))

    def end(self) -> None:
        for thread in self._threads:
            hub.kill(thread)

    def start(self) -> None:
        self.loop.start(lambda _: self.world.start())  # with the first proof

    def ask(self, command: Any) -> Any:
        return self.loop.ask(Asked(command, CONTROLLER, "a test", 0.0))


@pytest.fixture
def looped() -> Iterator[Looped]:
    looped = Looped()
    yield looped
    looped.end()


def test_what_is_asked_too_early_is_told_to_wait_and_never_answered_wrongly(looped: Looped) -> None:
    with pytest.raises(StillStarting, match="the controller is starting; remedy: ask again"):
        looped.ask(ReadPolicy())
    looped.start()
    looped.spawn()
    assert looped.ask(ReadPolicy()).revision == 1


def test_a_question_in_the_midst_of_the_start_is_told_the_same(looped: Looped) -> None:
    told: list[str] = []

    def begin(runtime: Any) -> None:
        with pytest.raises(StillStarting):
            looped.ask(ReadPolicy())
        told.append("to wait")
        runtime.start("demo.yaml", DEMO)

    looped.loop.start(begin)
    assert told == ["to wait"]


def test_events_that_come_before_the_start_are_handled_after_it(looped: Looped) -> None:
    looped.world.now = 10.0
    looped.loop.put(TimePassed())
    assert looped.world.events("MemberUnheard") == []
    looped.start()
    looped.world.now = 20.0
    looped.spawn()
    looped.ask(ReadPolicy())
    assert looped.world.events("MemberUnheard")


def _fail(_: Any) -> None:
    raise ZeroDivisionError


def test_a_start_that_fails_is_no_start(looped: Looped) -> None:
    with pytest.raises(ZeroDivisionError):
        looped.loop.start(_fail)
    with pytest.raises(StillStarting):
        looped.ask(ReadPolicy())


def test_what_waits_in_the_queue_together_is_compiled_for_once(
    looped: Looped, monkeypatch: pytest.MonkeyPatch
) -> None:
    looped.start()
    core = looped.world.core
    compiled: list[Any] = []
    compile_ = core.in_force.compile

    def note(*given: Any) -> Any:
        compiled.append(given)
        return compile_(*given)

    monkeypatch.setattr(core.in_force, "compile", note)
    bad = HealthReport(False, "refused")
    asked = [ReportMember(name, bad) for name in ("proxy1", "scanner1") for _ in range(2)]
    waiting = [hub.spawn(looped.ask, each) for each in (*asked, DrainMember("proxy2", True))]
    hub.sleep(0)  # all of them are in the queue
    looped.spawn()
    hub.joinall(waiting)
    looped.ask(ReadPolicy())
    assert len(compiled) == 1
    assert core.is_caught_up
