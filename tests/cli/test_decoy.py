"""`postern decoy`: what decoys recorded."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Postern

SESSION = {"session": "0123", "source": "198.51.100.66", "destination": "203.0.113.10", "port": 22}


@pytest.mark.parametrize(
    "events",
    [
        ["AttackerConnected", "LoginTried", "LoginTried", "CommandEntered", "FileUploaded", "MailCaptured"],
        ["connection", "login", "login", "command", "upload", "message"],  # release 0.1
    ],
)
def test_what_an_attacker_tried_is_counted(postern: Postern, tmp_path: Path, events: list[str]) -> None:
    lines = [{**SESSION, "time": "2026-11-30T00:00:00Z", "protocol": "ssh", "event": name} for name in events]
    (tmp_path / "journal.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (session,) = json.loads(postern("decoy", "sessions", "--json", "--home", tmp_path).out)
    assert session["counts"] == {"login": 2, "command": 1, "upload": 1, "message": 1}
