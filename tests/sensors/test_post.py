"""Evidence waits for a controller that is away or cross: counted, bounded, and told of when some was lost."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from common.api import ApiAccess, parse_address
from common.journal.events import Event
from services.base import evidence
from services.base.events import DaemonEvent
from services.base.evidence import Evidence, EvidencePost
from tests.sensors.standin import StandIn


@pytest.fixture
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    standin = StandIn(Path(tmp_path_factory.mktemp("c")) / "api.sock")
    yield standin
    standin.end()


def seen(number: int = 0, detail: str = "knocked") -> Evidence:
    return Evidence("scan", f"198.51.100.{number}", "203.0.113.10", 25, "tcp", detail)


class Posting:
    """A post that runs, and what it reported."""

    def __init__(self, controller: StandIn) -> None:
        self.told: list[tuple[Event, dict[str, Any]]] = []
        self.post = EvidencePost(ApiAccess(parse_address(f"unix:{controller.socket}")), self._report)

    def _report(self, event: Event, /, **facts: object) -> None:
        self.told.append((event, facts))

    async def until(self, condition: Callable[[], Any]) -> None:
        running = asyncio.create_task(self.post.run())
        try:
            async with asyncio.timeout(20):
                while not condition():
                    await asyncio.sleep(0.02)
        finally:
            running.cancel()

    def of(self, event: Event) -> list[dict[str, Any]]:
        return [facts for each, facts in self.told if each is event]


def test_the_same_seen_again_is_one_piece_with_a_count(controller: StandIn) -> None:
    controller.begin()
    posting = Posting(controller)
    for detail in ("first", "second", "third"):
        posting.post.add(seen(1, detail))
    asyncio.run(posting.until(controller.evidence))
    assert [(each["count"], each["detail"]) for each in controller.evidence()] == [(3, "first")]


def test_evidence_waits_for_a_controller_that_is_away(controller: StandIn) -> None:
    posting = Posting(controller)

    async def story() -> None:
        posting.post.add(seen(1))
        await posting.until(lambda: posting.of(DaemonEvent.CONTROLLER_AWAY))
        posting.post.add(seen(1))
        posting.post.add(seen(2))
        controller.begin()
        await posting.until(lambda: len(controller.evidence()) == 2)

    asyncio.run(story())
    assert {each["source"]: each["count"] for each in controller.evidence()} == {
        "198.51.100.1": 2,
        "198.51.100.2": 1,
    }


def test_past_the_bound_the_oldest_is_let_go_and_told(
    controller: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MOST_WAITING", 10)
    posting = Posting(controller)
    for number in range(13):
        posting.post.add(seen(number))
    controller.begin()
    asyncio.run(posting.until(lambda: posting.of(DaemonEvent.EVIDENCE_LOST)))
    assert posting.of(DaemonEvent.EVIDENCE_LOST) == [{"count": 3}]
    assert [each["source"] for each in controller.evidence()] == [f"198.51.100.{n}" for n in range(3, 13)]


def test_what_is_refused_whole_is_told_and_not_sent_for_ever(controller: StandIn) -> None:
    controller.status = 400
    controller.begin()
    posting = Posting(controller)
    posting.post.add(seen(1))
    asyncio.run(posting.until(lambda: posting.of(DaemonEvent.EVIDENCE_REFUSED)))
    (told,) = posting.of(DaemonEvent.EVIDENCE_REFUSED)
    assert told["count"] == 1
    assert "not today" in told["examples"][0]


def test_what_an_attacker_wrote_is_escaped_and_cut(controller: StandIn) -> None:
    controller.begin()
    posting = Posting(controller)
    posting.post.add(seen(1, "\x1b[2J\n" + "x" * 10_000))
    asyncio.run(posting.until(controller.evidence))
    detail = controller.evidence()[0]["detail"]
    assert detail.startswith("\\x1b[2J\\x0axxx")
    assert len(detail) < 400


def test_without_a_controller_nothing_is_kept() -> None:
    post = EvidencePost(None, lambda *_, **__: None)
    post.add(seen())
    assert not post._waiting
