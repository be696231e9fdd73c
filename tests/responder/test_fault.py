"""A fault of ours ends one session of the responder, and no other."""

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from common.journal.journal import Journal
from services.responder.dialogue import RefusalDialogue
from services.responder.server import Responder, ResponderCaps
from tests.journals import Pages
from tests.mail.conftest import free_port
from tests.responder.test_program import ACME, settings


@pytest.mark.usefixtures("signals_kept")
def test_an_unexpected_error_ends_one_session_and_is_in_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_at_noop(dialogue: RefusalDialogue, data: bytes) -> bytes:
        if data.startswith(b"NOOP"):
            raise ZeroDivisionError("a fault of ours")
        return feed(dialogue, data)

    feed = RefusalDialogue.feed
    monkeypatch.setattr(RefusalDialogue, "feed", fail_at_noop)
    port, file, pages = free_port(), tmp_path / "settings", Pages()
    file.write_text(json.dumps(settings(port)), encoding="utf-8")

    async def story() -> tuple[bytes, bytes]:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        responder = Responder(file, Journal(pages, "postern-responder", "r1"), ResponderCaps())
        living = asyncio.create_task(responder.live())
        while "ResponderStarted" not in pages.text:
            await asyncio.sleep(0.001)
        (healthy, to_healthy), (broken, to_broken) = [
            await asyncio.open_connection(ACME, port) for _ in range(2)
        ]
        to_broken.write(b"NOOP\r\n")
        rest = await broken.read()
        to_healthy.write(b"QUIT\r\n")
        said = await healthy.read()
        for writer in (to_healthy, to_broken):
            writer.close()
        os.kill(os.getpid(), signal.SIGTERM)
        await living
        return rest, said

    rest, said = asyncio.run(asyncio.wait_for(story(), 30))
    assert rest == b"220 postern ESMTP\r\n"
    assert b"\r\n221 " in said
    lines: list[dict[str, Any]] = [json.loads(line) for line in pages.text.splitlines()]
    reasons = [line["reason"] for line in lines if line["event"] == "SessionAnswered"]
    assert reasons == ["unexpected error: ZeroDivisionError('a fault of ours')", "done"]
