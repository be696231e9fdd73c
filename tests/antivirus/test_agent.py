"""The update agent with real clamscan and clamd: current soon, and never without working signatures."""

import contextlib
import hashlib
import json
import random
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from common.apparmor import unconfined
from services.antivirus.agent.verification import Clamd, NotProven
from services.antivirus.builder import immunity
from services.antivirus.builder.publisher import Publisher
from services.antivirus.formats import OWN_FILES, generation_comment
from services.antivirus.signatures import Entry, Kind
from services.antivirus.signing import make_key, sign
from tests.antivirus.conftest import (
    PATIENCE_S,
    Client,
    Server,
    await_that,
    forge_ring,
    tamper,
)
from tests.mail.conftest import free_port

pytestmark = pytest.mark.programs

OWN = set(OWN_FILES)


def publish(server: Server, publisher: Publisher, sample: Path) -> int:
    """Have everybody find a file; return the generation, when it is served."""
    number = immunity.immunize(publisher, immunity.caught_in(str(sample), ()), "a test")
    await_that(lambda: server.generation() == number, "it is served")
    return number


def said(done: "subprocess.CompletedProcess[str]") -> dict[str, object]:
    return dict(json.loads(done.stdout.splitlines()[0]))


@contextmanager
def running(client: Client, *more: str) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(client.command(*more), stdout=subprocess.PIPE, encoding="utf-8")
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        if process.stdout:
            process.stdout.close()


def test_a_new_client_gets_everything_and_finds_what_it_must(
    server: Server, publisher: Publisher, client: Client, sample: Path
) -> None:
    publish(server, publisher, sample)
    assert client.update().returncode == 0
    assert {path.name for path in client.database.iterdir()} == OWN
    assert client.finds(sample)
    assert client.state["generation"] == 2


def test_a_client_that_waits_has_a_new_generation_at_once(
    server: Server, publisher: Publisher, client: Client, sample: Path
) -> None:
    with running(client):
        await_that(lambda: (client.home / "state" / "state.json").exists(), "it has the first")
        publish(server, publisher, sample)
        await_that(lambda: client.state["generation"] == 2, "it has the second")
    assert client.finds(sample)


def test_a_small_change_of_a_large_set_costs_a_client_little(
    server: Server, publisher: Publisher, client: Client, sample: Path
) -> None:
    many = tuple(
        Entry(f"Postern.Many.{number}", Kind.PATTERN, f"0:*:{random.randbytes(60).hex()}", "r", "", "t")
        for number in range(3_000)
    )
    number = publisher.publish("many", lambda before: (*before, *many), at_once=True)
    await_that(lambda: server.generation() == number, "they are served")
    assert int(str(said(client.update())["bytes"])) > 300_000
    publish(server, publisher, sample)
    assert int(str(said(client.update())["bytes"])) <= 20 * 1024
    assert client.finds(sample)


def test_files_that_are_not_ours_stay(server: Server, client: Client) -> None:
    client.command()
    foreign = client.database / "local.ndb"
    foreign.write_text("Local.Test:0:*:6c6f63616c2d74657374\n", encoding="utf-8")
    assert client.update().returncode == 0
    assert foreign.read_text(encoding="utf-8").startswith("Local.Test")


def test_another_key_is_refused_and_what_was_there_works_on(
    server: Server, publisher: Publisher, client: Client, sample: Path, tmp_path: Path
) -> None:
    publish(server, publisher, sample)
    client.update()
    make_key(tmp_path / "new.key", tmp_path / "new.pub")
    theirs = Client(client.home, tmp_path / "new.pub", client.url)
    done = theirs.update()
    assert done.returncode == 1
    assert said(done)["event"] == "UpdateRefused"
    assert client.finds(sample)


def test_an_older_ring_is_refused(server: Server, publisher: Publisher, client: Client, sample: Path) -> None:
    publish(server, publisher, sample)
    client.update()
    state = client.state
    (client.home / "state" / "state.json").write_text(
        json.dumps({**state, "serial": state["serial"] + 50, "key_of_a_newer_release": 1}), encoding="utf-8"
    )
    done = client.update()
    assert "is older than" in str(said(done)["reason"])
    assert client.state["client"] == state["client"]
    assert client.finds(sample)


def test_a_rollback_is_followed(server: Server, publisher: Publisher, client: Client, sample: Path) -> None:
    publish(server, publisher, sample)
    client.update()
    publisher.rollback()
    await_that(lambda: server.generation() == 1, "it is back")
    assert client.update().returncode == 0
    assert not client.finds(sample)
    assert client.state["generation"] == 1


def test_a_client_that_was_away_for_weeks_takes_the_newest(
    server: Server, publisher: Publisher, client: Client, sample: Path
) -> None:
    client.update()
    for _ in range(12):
        publisher.publish("one of many", at_once=True)
    number = publish(server, publisher, sample)
    assert client.update().returncode == 0
    assert client.state["generation"] == number
    assert client.finds(sample)


def test_what_does_not_load_is_never_installed(
    server: Server, publisher: Publisher, client: Client, sample: Path
) -> None:
    """A generation that is signed, but of which this client's clamscan does not find the marker."""
    publish(server, publisher, sample)
    client.update()
    ring = server.store.pointers()["canary"]
    wrong = json.loads((server.store.directory(2) / "manifest.json").read_bytes())
    wrong["marker"] = wrong["marker"][:-4] + "0000"
    data = json.dumps(wrong).encode()
    server.stop()
    tamper(server.store, 2, "manifest.json", data)
    _sign_again(server, data, ring.serial + 100)
    shutil.rmtree(server.home / "www")
    server.start()
    await_that(lambda: server.generation() == 2, "it is served")
    done = client.update()
    assert "does not find the marker of generation 2" in str(said(done)["reason"])
    assert client.finds(sample)


def _sign_again(server: Server, manifest: bytes, serial: int) -> None:
    directory = server.store.directory(2)
    (directory / "manifest.json.minisig").chmod(0o644)
    sign(server.store.secret_key, directory / "manifest.json", generation_comment(2))
    for name, ring in server.store.pointers().items():
        digest = hashlib.sha256(manifest).hexdigest()
        forge_ring(
            server.store, name, replace(ring, serial=serial, manifest_sha256=digest), server.store.secret_key
        )


@pytest.mark.timeout(600)
def test_an_agent_that_is_killed_at_any_moment_leaves_a_database_that_loads(
    server: Server, publisher: Publisher, client: Client, sample: Path, tmp_path: Path
) -> None:
    publish(server, publisher, sample)
    client.update()
    for number in range(10):
        more = tmp_path / f"more{number}"
        more.write_bytes(b"MORE" + random.randbytes(200))
        publish(server, publisher, more)
        process = subprocess.Popen(client.command("--once"), stdout=subprocess.DEVNULL)
        time.sleep(random.uniform(0.05, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert client.finds(sample)
    assert client.update().returncode == 0
    assert client.finds(more)
    assert {path.name for path in client.database.iterdir()} == OWN


def test_a_full_disk_leaves_what_was_there(
    server: Server, publisher: Publisher, client: Client, sample: Path, tmp_path: Path
) -> None:
    publish(server, publisher, sample)
    client.update()
    other = tmp_path / "other"
    other.write_bytes(b"OTHER" * 50)
    publish(server, publisher, other)
    done = subprocess.run(
        ["prlimit", "--fsize=90", *client.command("--once")],
        capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert client.finds(sample)
    assert client.update().returncode == 0
    assert client.finds(other)


@pytest.mark.parametrize("kept", [0, 40, 200])
def test_a_download_that_breaks_off_leaves_what_was_there(
    server: Server, publisher: Publisher, client: Client, sample: Path, kept: int
) -> None:
    publish(server, publisher, sample)
    client.update()
    other = sample.with_name("other")
    other.write_bytes(b"OTHER" * 50)
    publish(server, publisher, other)
    with cutting_proxy(server.port, b"postern.hsb", kept) as port:
        done = Client(client.home, client.public_key, f"http://127.0.0.1:{port}").update()
    assert done.returncode == 1
    assert client.finds(sample)
    assert client.update().returncode == 0
    assert client.finds(other)


@contextmanager
def cutting_proxy(port: int, at: bytes, kept: int) -> Iterator[int]:
    """Between client and server: breaks off the answer to a request that names `at`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            with near, socket.create_connection(("127.0.0.1", port)) as far:
                is_last = False
                while ready := select.select([near, far], [], [], PATIENCE_S)[0]:
                    data = ready[0].recv(65_536)
                    if not data or (is_last and ready[0] is far):
                        near.sendall(data[:kept])
                        break
                    is_last = is_last or (ready[0] is near and at in data.split(b"\r\n")[0])
                    (far if ready[0] is near else near).sendall(data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.close()


def test_no_server_is_no_reason_to_end(client: Client) -> None:
    nowhere = Client(client.home, client.public_key, f"http://127.0.0.1:{free_port()}")
    with running(nowhere) as process:
        assert process.stdout
        assert "ServerNotReached" in process.stdout.readline()
        assert process.poll() is None


@contextmanager
def clamd(client: Client) -> Iterator[int]:
    client.command()
    port = free_port()
    (client.database / "seed.ndb").write_text("Seed.Test:0:*:736565642d74657374\n", encoding="utf-8")
    configuration = client.home / "clamd.conf"
    configuration.write_text(
        f"TCPAddr 127.0.0.1\nTCPSocket {port}\nDatabaseDirectory {client.database}\n"
        "Foreground yes\nConcurrentDatabaseReload yes\n",
        encoding="utf-8",
    )
    with (client.home / "clamd.log").open("wb") as log:
        command = unconfined(["clamd", f"--config-file={configuration}"])
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        await_that(lambda: _ask(port, b"zPING\0") == "PONG", "clamd answers")
        yield port
    finally:
        process.kill()
        process.wait(10)


def _ask(port: int, request: bytes) -> str:
    try:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as connection:
            connection.sendall(request)
            return connection.recv(4_096).rstrip(b"\0").decode()
    except OSError:
        return ""


def test_a_clamd_uses_a_new_generation_and_answers_all_the_while(
    server: Server, publisher: Publisher, client: Client, sample: Path
) -> None:
    content = sample.read_bytes()
    stream = b"zINSTREAM\0" + len(content).to_bytes(4) + content + bytes(4)
    with clamd(client) as port, running(client, "--clamd", f"127.0.0.1:{port}", "--kind", "scanner"):
        await_that(lambda: (client.home / "state" / "state.json").exists(), "it has the first")
        answers: list[str] = []
        publish(server, publisher, sample)

        def is_found() -> bool:
            answers.append(_ask(port, stream))
            return answers[-1].endswith("FOUND")

        await_that(is_found, "it finds it")
        assert set(answers) <= {"stream: OK", answers[-1]}, "every scan has a verdict"


def test_a_clamd_without_room_for_two_sets_of_signatures_keeps_the_one_it_has(
    client: Client, tmp_path: Path
) -> None:
    memory = tmp_path / "meminfo"
    with clamd(client) as port:
        for kilobytes, is_enough in ((5_000, False), (5_000_000, True)):
            memory.write_text(f"MemTotal: 9000000 kB\nMemAvailable:    {kilobytes} kB\n", encoding="utf-8")
            refused = nullcontext() if is_enough else pytest.raises(NotProven, match="5 MiB are free")
            with refused:
                Clamd(f"127.0.0.1:{port}").check_room(memory)


def test_what_an_agent_reports_is_handed_on_with_the_tenants_name(
    server: Server, client: Client, tmp_path: Path
) -> None:
    """The controller's side is a socket here that writes down what it is told."""
    told: list[dict[str, object]] = []
    address = str(tmp_path / "api.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    threading.Thread(target=_be_controller, args=(listener, told), daemon=True).start()
    server.stop()
    server.start("--api", f"unix:{address}")
    try:
        assert client.update("--name", "pc1").returncode == 0
        reports = await_that(lambda: [r for each in told for r in each["reports"]], "it is handed on")  # type: ignore[attr-defined]
        assert (reports[0]["host"], reports[0]["asker"], reports[0]["generation"]) == ("pc1", "t0", 1)
        assert told[-1]["server"] == "av1"
    finally:
        listener.close()


def test_what_nobody_heard_is_reported_as_soon_as_somebody_listens(
    server: Server, client: Client, tmp_path: Path
) -> None:
    with running(client) as process:
        await_that(lambda: (client.home / "state" / "state.json").exists(), "it is current")
        server.stop()
        assert process.stdout
        while "ServerNotReached" not in process.stdout.readline():
            pass
        told: list[dict[str, object]] = []
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "api.sock"))
        listener.listen()
        threading.Thread(target=_be_controller, args=(listener, told), daemon=True).start()
        other = tmp_path / "other"
        other.write_bytes(b"OTHER" * 50)
        number = immunity.immunize(Publisher(server.store), immunity.caught_in(str(other), ()), "a test")
        try:
            server.start("--api", f"unix:{tmp_path}/api.sock")
            await_that(
                lambda: [r for each in told for r in each["reports"] if r["generation"] == number],  # type: ignore[attr-defined]
                "it is handed on",
            )
        finally:
            listener.close()


def _be_controller(listener: socket.socket, told: list[dict[str, object]]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with contextlib.suppress(OSError), connection, connection.makefile("rwb") as stream:
            head = {}
            stream.readline()
            while line := stream.readline().strip():
                name, _, value = line.lower().partition(b": ")
                head[name] = value
            length = int(head.get(b"content-length", 0))
            body = stream.read(length)
            if not body or len(body) < length:  # the agent was stopped in the middle of it
                continue
            told.append(json.loads(body))
            stream.write(b"HTTP/1.1 200 OK\r\n\r\n{}")
            stream.flush()
