"""What a server hands on to the controller of what agents told it."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.api import ApiAccess, parse_address
from common.journal.journal import Journal
from common.wire.codec import load
from common.wire.signatures import ClientReport, ServerReport
from controller.api.antivirus import _LARGEST_BODY_BYTES
from services.antivirus.server import daemon
from services.antivirus.server.daemon import _MOST_IN_A_POST, AntivirusServer, ServerOptions, body_of
from services.antivirus.server.http import _LARGEST_REPORT_BYTES
from services.antivirus.server.replica import Replica
from services.base import controller
from tests.journals import Pages

DETAILS = ("host", "kind", "engine", "error", "agent", "installed_at")


def test_the_largest_reports_that_agents_can_send_fit_into_one_for_the_controller() -> None:
    """Otherwise it refuses all of them, and one hostile client hides what the others say."""
    said = {"client": "\U0001f9a0" * 100, **dict.fromkeys(DETAILS, "\U0001f9a0" * 140)}
    text = json.dumps({**said, "asker": "a" * 31, "asker_kind": "tenant"}, ensure_ascii=False)
    assert _LARGEST_REPORT_BYTES - 200 < len(text.encode()) <= _LARGEST_REPORT_BYTES
    report = load(ClientReport, text).record
    body = body_of(ServerReport(server="av1", reports=(report,) * _MOST_IN_A_POST))
    assert len(body) <= _LARGEST_BODY_BYTES
    assert load(ServerReport, body).record.reports[0] == report


_TWO = (ClientReport(client="c", asker="acme", asker_kind="tenant"),) * 2


class _AllAnswered(Exception):
    """The controller has given all its answers."""


def events_after(answers: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return the events of a server that has two reports for each answer; an empty one accepts them."""
    monkeypatch.setattr(daemon, "_TELL_EVERY_S", 0.0)
    pages, api = Pages(), ApiAccess(parse_address("unix:/nowhere"))
    options = ServerOptions(tmp_path / "settings.json", tmp_path, "av1", api)
    server = AntivirusServer(options, Replica(tmp_path, tmp_path, tmp_path), Journal(pages, "p", "av1"))
    left: Iterator[str] = iter(answers)

    async def request(*_: object) -> None:
        reason = next(left, None)
        if reason is None:
            raise _AllAnswered
        server._answering.reports.extend(_TWO)
        if reason:
            raise controller.ControllerRefused(reason)

    monkeypatch.setattr(controller, "request", request)
    server._answering.reports.extend(_TWO)
    with pytest.raises(_AllAnswered):
        asyncio.run(server._hand_on(api))
    return [json.loads(line) for line in pages.text.splitlines()]


def test_reports_that_the_controller_refuses_are_an_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (event,) = events_after(["another format"], tmp_path, monkeypatch)
    said = {key: event[key] for key in ("event", "severity", "count", "reason")}
    assert said == {"event": "ReportsRefused", "severity": "warning", "count": 2, "reason": "another format"}


def test_reports_that_are_refused_again_for_the_same_reason_are_no_further_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = events_after(["another format", "another format", "too large"], tmp_path, monkeypatch)
    assert [event["reason"] for event in events] == ["another format", "too large"]


def test_a_reason_is_an_event_again_after_the_controller_has_accepted_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = events_after(["another format", "", "another format"], tmp_path, monkeypatch)
    assert [event["reason"] for event in events] == ["another format", "another format"]
