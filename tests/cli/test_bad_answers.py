"""Every command of `postern` that asks the API, when nothing answers there, or another program does."""

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from cli.main import main
from common import entry
from common.exit_codes import ExitCode
from tests.cli.conftest import Postern
from tests.world import POLICIES

DEMO = str(POLICIES / "demo.yaml")
COMMANDS = [
    ["status"],
    ["status", "--json"],
    ["drift"],
    ["drift", "--json"],
    ["plan", DEMO],
    ["apply", DEMO],
    ["prove"],
    ["flows"],
    ["explain", "tenants.acme"],
    ["explain", "198.51.100.66"],
    ["explain", "decisions.17"],
    ["explain", "größe\udcff"],
    ["pool", "list"],
    ["pool", "drain", "proxy1"],
    ["pool", "resume", "proxies.proxy1"],
    ["pool", "roll", "proxies", "--command", "true"],
    ["decisions", "list"],
    ["decisions", "list", "--origin", "größe\udcff"],
    ["decisions", "add", "198.51.100.66", "--action", "decoy"],
    ["decisions", "show", "17"],
    ["decisions", "delete", "17"],
    ["decisions", "import", DEMO],
    ["decisions", "export"],
    ["allow", "list"],
    ["allow", "add", "198.51.100.0/24", "--comment", "größe"],
    ["allow", "delete", "3"],
    ["token", "list"],
    ["token", "add", "größe", "--role", "sensor"],
    ["token", "delete", "größe\udcff"],
    ["av", "fleet"],
    ["av", "fleet", "--tenant", "two words, größe\udcff"],
    ["persona", "learn", "größe\udcff", "--from", "probe", "--shell", "true", "--source", "198.51.100.9"],
    ["persona", "compare", "acme", "--from", "probe", "--shell", "true", "--source", "198.51.100.9"],
]
UNREACHABLE = ExitCode.UNREACHABLE
each_command = pytest.mark.parametrize(
    "command", COMMANDS, ids=lambda words: ascii(" ".join(words[:3]))[-40:]
)


def failure_of(command: list[str]) -> ExitCode:
    """A command that is not UTF-8 text fails before it asks."""
    return ExitCode.FAILED if "\udcff" in "".join(command) else UNREACHABLE


def reply(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n".encode()
        + body
    )


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[None]:
    """Somebody on the socket who gives everybody the same answer, whatever is asked."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    connection.recv(65_536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()


NO_CONTROLLER = {
    "not HTTP": b"220 mail.example ESMTP\r\n",
    "nothing": b"",
    "no JSON": reply(b"<html>hello</html>"),
    "cut off": reply(b'{"switches": [', length=1000),
    "bytes": reply(b"\xff\xfe\x00"),
    "a number": reply(b"17"),
    "a text": reply(b'"hello"'),
    "null": reply(b"null"),
    "nested": reply(b"[" * 100_000),
    "status only": reply(b"{}", "500 Internal Server Error"),
    "errors of another form": reply(b'{"errors": "no"}', "400 Bad Request"),
    "a status that is none": b"HTTP/1.1 xx\r\n\r\n",
}


@pytest.mark.parametrize("answer", NO_CONTROLLER.values(), ids=NO_CONTROLLER)
def test_an_answer_that_is_no_controllers_is_one_line_with_a_remedy(
    postern: Postern, socket_path: Path, answer: bytes
) -> None:
    with answering(socket_path, answer):
        said = postern("status")
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.code == (
        ExitCode.FAILED if b"HTTP/1.1 500" in answer or b"HTTP/1.1 400" in answer else UNREACHABLE
    )
    assert "remedy: " in said.err


@each_command
def test_a_controller_that_hangs_up_is_one_line_with_a_remedy(
    postern: Postern, socket_path: Path, command: list[str]
) -> None:
    with answering(socket_path, b""):
        said = postern(*command)
    assert (said.code, said.out, said.err.count("\n")) == (failure_of(command), "", 1)
    assert "remedy: " in said.err


@each_command
def test_without_a_controller_every_command_says_so_in_one_line(
    postern: Postern, socket_path: Path, command: list[str]
) -> None:
    said = postern(*command)
    assert (said.code, said.err.count("\n")) == (failure_of(command), 1)
    is_text = "\udcff" not in "".join(command)
    assert ("no controller answers at" if is_text else "this is not UTF-8 text") in said.err


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where reports of this process go, whose environment and hooks stay pytest's."""
    monkeypatch.setenv("LOGS_DIRECTORY", str(tmp_path))
    monkeypatch.setattr(entry, "settle", lambda: None)
    monkeypatch.setattr(entry, "watch", lambda _program: None)
    return tmp_path / "reports"


@pytest.mark.parametrize("answer", [b"{}", b'{"switches": 3}', b"[[17]]"])
def test_an_answer_of_another_shape_leaves_a_report_and_one_line(
    socket_path: Path, reports: Path, capsys: pytest.CaptureFixture[str], answer: bytes
) -> None:
    with answering(socket_path, reply(answer)):
        code = entry.run("postern", lambda: main(["status", "--api", f"unix:{socket_path}"]))
    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (70, 1)
    assert f"report: {reports}/postern-report-" in said
    assert f"the answers came from unix:{socket_path}" in said
    assert "Traceback" in next(reports.iterdir()).read_text(encoding="utf-8")


def test_with_json_an_unexpected_error_is_one_document_too(
    socket_path: Path, reports: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["status", "--json", "--api", f"unix:{socket_path}"]
    monkeypatch.setattr(sys, "argv", ["postern", *words])
    with answering(socket_path, reply(b"{}")):
        code = entry.run("postern", lambda: main(words))
    (said,) = json.loads(capsys.readouterr().err)["errors"]
    assert code == ExitCode.UNEXPECTED
    assert f"report: {reports}/postern-report-" in said


def test_an_api_that_this_user_may_not_use_is_told_with_how_one_may(
    postern: Postern, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("controller.api.client._UnixConnection.connect", refuse)
    said = postern("status")
    assert (said.code, said.err.count("\n")) == (UNREACHABLE, 1)
    assert "Permission denied; remedy: run this as root" in said.err


def test_an_answer_without_end_is_refused(
    postern: Postern, socket_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.api.client._LARGEST_ANSWER_BYTES", 1 << 20)
    with answering(socket_path, reply(b"[" + b"1," * (1 << 20) + b"1]")):
        said = postern("flows")
    assert (said.code, said.err.count("\n")) == (UNREACHABLE, 1)
    assert "larger than 1 MiB" in said.err


@pytest.mark.parametrize(
    "command", [["check"], ["flows", "--policy"], ["plan"], ["apply"], ["decisions", "import"]]
)
def test_a_file_that_cannot_be_read_is_named_with_a_remedy(
    postern: Postern, tmp_path: Path, command: list[str]
) -> None:
    junk = tmp_path / "junk.yaml"
    junk.write_bytes(b"\xff\xfe\x00binary" * 100)
    for file in (tmp_path / "missing.yaml", tmp_path, junk):
        said = postern(*command, file)
        first = said.err.splitlines()[0]
        assert said.code == 1
        assert first.startswith(f"{file}:")
        assert "remedy: " in first
