"""What a server hands on to the controller of what agents told it."""

import json

from common.wire.codec import load
from common.wire.signatures import ClientReport, ServerReport
from controller.api.antivirus import _LARGEST_BODY_BYTES
from services.antivirus.server.daemon import _MOST_IN_A_POST, body_of
from services.antivirus.server.http import _LARGEST_REPORT_BYTES

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
