"""Evidence goes to the controller at once and in batches; a controller that is away stops nothing."""

import json
import socketserver
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.decoy.conftest import Begin
from tests.decoy.running import DARK, HELLO, POP3


class Controller:
    """Takes evidence at a unix socket; `refuse` makes it say no."""

    def __init__(self, path: Path) -> None:
        self.path, self.taken, self.batches = path, [], 0  # type: ignore[var-annotated]
        self._server: socketserver.ThreadingUnixStreamServer | None = None

    def start(self) -> None:
        controller = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.path == "/v1/evidence"
                controller.taken += said["evidence"]
                controller.batches += 1
                body = json.dumps({"accepted": len(said["evidence"]), "refused": []}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self) -> str:
                return "unix"

            def log_message(self, format: str, *arguments: Any) -> None: ...

        self._server = socketserver.ThreadingUnixStreamServer(str(self.path), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self.path.unlink(missing_ok=True)
            self._server = None

    def wait_for(self, kind: str, count: int = 1) -> dict[str, Any]:
        """Wait until evidence of a kind was counted so often; return the last of it."""
        for _ in range(600):
            found = [each for each in self.taken if each["kind"] == kind]
            if sum(each["count"] for each in found) >= count:
                last: dict[str, Any] = found[-1]
                return last
            time.sleep(0.025)
        raise AssertionError(f"no {kind}: {self.taken[-5:]}")


@pytest.fixture
def controller() -> Iterator[Controller]:
    # A unix socket's path holds about 100 characters, less than pytest's own directories.
    with tempfile.TemporaryDirectory(prefix="pt-") as directory:
        made = Controller(Path(directory) / "api")
        yield made
        made.stop()


def test_what_an_attacker_does_reaches_the_controller_at_once(begin: Begin, controller: Controller) -> None:
    controller.start()
    decoy = begin("--controller", str(controller.path))
    client = decoy.client(DARK, POP3)
    connection = controller.wait_for("decoy-connection")
    client.hear()
    client.ask(b"USER \x1broot")
    client.ask(b"PASS toor")
    login = controller.wait_for("decoy-login")
    assert login["source"] == "127.0.0.1"
    assert (login["tenant"], login["destination"], login["port"]) == ("acme", DARK, POP3)
    assert login["transport"] == "tcp"
    assert login["detail"] == "USER \\x1broot"
    assert login["trace"] == connection["trace"] == decoy.wait_for("login")["trace"]


def test_while_the_controller_is_away_the_decoy_goes_on_and_nothing_is_lost(
    begin: Begin, controller: Controller
) -> None:
    decoy = begin("--controller", f"unix:{controller.path}")
    for _ in range(50):
        client = decoy.client(DARK, HELLO)
        assert client.hear() == b"dark\r\n"
        client.close()
    assert "cannot be reached" in decoy.wait_for("EvidenceRefused")["why"]
    controller.start()
    controller.wait_for("decoy-connection", 50)
    assert controller.batches <= 3
