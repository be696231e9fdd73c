"""The anti-virus server with a real nginx: right answers, to the right asker, whatever happens around it."""

import asyncio
import json
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from services.antivirus.builder.publisher import Publisher
from services.antivirus.signing import make_key
from tests.antivirus.conftest import (
    CANARY_TENANT,
    OTHER_TENANT,
    PATIENCE_S,
    STRANGER,
    Server,
    await_that,
    forge_ring,
    put_settings,
    tamper,
)

pytestmark = pytest.mark.programs

_FILE = "/database/postern.ndb"


def test_each_tenant_is_given_the_generation_of_his_ring(server: Server, publisher: Publisher) -> None:
    publisher.publish("for the canary first")
    await_that(lambda: server.generation(CANARY_TENANT) == 2, "the canary has it")
    assert server.generation(OTHER_TENANT) == 1
    publisher.promote()
    await_that(lambda: server.generation(OTHER_TENANT) == 2, "everybody has it")


def test_after_a_rollback_everybody_is_given_what_was_there_before(
    server: Server, publisher: Publisher
) -> None:
    publisher.publish("a bad one", at_once=True)
    await_that(lambda: server.generation(OTHER_TENANT) == 2, "it is served")
    publisher.rollback()
    await_that(lambda: server.generation(OTHER_TENANT) == server.generation(CANARY_TENANT) == 1, "it is back")


@pytest.mark.parametrize(
    "path",
    ["/", "/database/", "/database/none.cvd", "/generations/", "/generations/00000009/postern.ndb",
     "/rings/all", "/database/../../../etc/passwd", "/generations/00000001/..%2f..%2fetc%2fpasswd",
     "/keys/postern-av.key", "/v1/other"],
)  # fmt: skip
def test_what_is_missing_is_404_and_never_403(server: Server, path: str) -> None:
    assert server.get(path).status in (400, 404)
    assert server.get(path, method="HEAD").status in (400, 404)


@pytest.mark.parametrize(
    "path", ["/ring.json", _FILE, "/generations/00000001/manifest.json", "/v1/wait?serial=0"]
)
def test_who_is_nobodys_client_is_told_404(server: Server, path: str) -> None:
    assert server.get(path, CANARY_TENANT).status == 200
    assert server.get(path, STRANGER).status == 404


def test_lengths_ranges_and_dates_are_right(server: Server) -> None:
    whole = server.get(_FILE)
    assert (whole.status, int(whole.headers["content-length"])) == (200, len(whole.body))
    head = server.get(_FILE, method="HEAD")
    assert (head.headers["content-length"], head.body) == (whole.headers["content-length"], b"")
    part = server.get(_FILE, Range="bytes=5-9")
    assert (part.status, part.body) == (206, whole.body[5:10])
    assert server.get(_FILE, If_Modified_Since=whole.headers["last-modified"]).status == 304
    assert server.get(_FILE, If_None_Match=whole.headers["etag"]).status == 304
    old = "Thu, 01 Jan 2015 00:00:00 GMT"
    assert server.get(_FILE, If_Modified_Since=old).status == 200


def test_health_is_told_to_anybody_and_says_the_generation(server: Server) -> None:
    assert server.get("/healthz", STRANGER).body == b"ok generation 1\n"


def test_what_was_tampered_with_is_refused_and_the_last_good_one_served(
    server: Server, publisher: Publisher
) -> None:
    server.stop()
    publisher.publish("another", at_once=True)
    tamper(server.store, 2, "postern.ndb", b"Evil:0:*:00\n")
    server.start()
    await_that(lambda: server.events("GenerationRefused"), "it is refused")
    assert (
        "postern.ndb of generation 2 does not match the signed manifest"
        in server.events("GenerationRefused")[0]["reason"]
    )
    assert server.generation() == 1
    publisher.publish("a good one", at_once=True)
    await_that(lambda: server.generation() == 3, "the next good one is served")


def test_a_ring_signed_by_another_key_is_refused(server: Server, tmp_path: Path) -> None:
    make_key(tmp_path / "evil.key", tmp_path / "evil.pub")
    ring = server.store.pointers()["all"]
    forge_ring(server.store, "all", replace(ring, serial=ring.serial + 10), tmp_path / "evil.key")
    await_that(lambda: server.events("GenerationRefused"), "it is refused")
    assert server.generation(OTHER_TENANT) == 1


def test_an_older_ring_is_refused(server: Server, publisher: Publisher) -> None:
    first = server.store.pointers()["all"]
    publisher.publish("another", at_once=True)
    await_that(lambda: server.generation(OTHER_TENANT) == 2, "it is served")
    forge_ring(server.store, "all", first, server.store.secret_key)
    await_that(lambda: server.events("GenerationRefused"), "it is refused")
    assert server.generation(OTHER_TENANT) == 2


def _await_serial(server: Server, serial: int) -> None:
    await_that(lambda: _serial(server, OTHER_TENANT) == serial, "it is served")


def test_dates_in_a_manifest_mean_nothing(server: Server) -> None:
    ring = server.store.pointers()["all"]
    for serial, changed in (
        (ring.serial + 20, "2999-01-01T00:00:00Z"),
        (ring.serial + 21, "1970-01-01T00:00:00Z"),
    ):
        forge_ring(
            server.store, "all", replace(ring, serial=serial, changed=changed), server.store.secret_key
        )
        _await_serial(server, serial)


def _serial(server: Server, source: str) -> int:
    return int(json.loads(server.get("/ring.json", source).body)["serial"])


def test_a_server_that_was_killed_serves_again_what_it_had_without_the_builder(
    server: Server, publisher: Publisher, tmp_path: Path
) -> None:
    assert server.process
    server.process.kill()
    server.process.wait(10)
    publisher.store.root.rename(tmp_path / "gone")
    (tmp_path / "store" / "keys").mkdir(parents=True)
    server.start()
    assert server.generation() == 1


def test_nginx_goes_with_a_daemon_that_was_killed(server: Server) -> None:
    assert server.process
    nginx = _nginx(server)
    server.process.kill()
    server.process.wait(10)
    await_that(lambda: not Path(f"/proc/{nginx}").exists(), "nginx is gone")


def test_nginx_that_was_killed_is_started_again(server: Server) -> None:
    killed = _nginx(server)
    os.kill(killed, signal.SIGKILL)  # its worker stays, holds the port, and answers for a while
    await_that(lambda: server.events("NginxDied"), "it is noticed")
    await_that(lambda: _nginx(server) not in (0, killed) and server.is_up, "it serves again")
    assert server.generation() == 1


def _nginx(server: Server) -> int:
    """Return nginx's process number; 0 while nginx has made the file and not yet written it."""
    return int((server.home / "run" / "nginx.pid").read_text(encoding="utf-8") or 0)


@pytest.mark.lab  # for nginx's workers to be another user
def test_a_home_that_nginxs_workers_may_not_enter_is_named(server: Server, tmp_path: Path) -> None:
    server.stop()
    tmp_path.chmod(0o700)
    command: list[str | Path] = [*server.program, "--settings", server.home.with_suffix(".json")]
    command += ["--source", server.store.root]
    command += ["--home", server.home, "--public-key", server.store.public_key, "--log", tmp_path / "log"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=30)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert f"nginx runs as user www-data, which has no access to {server.home}; remedy: " in line


def test_a_tenant_that_comes_to_another_ring_is_served_from_it_at_once(
    server: Server, publisher: Publisher
) -> None:
    publisher.publish("for the canary")
    await_that(lambda: server.generation(CANARY_TENANT) == 2, "the canary has it")
    server.rings[OTHER_TENANT] = "canary"
    server.configure()
    await_that(lambda: server.generation(OTHER_TENANT) == 2, "so has the other one")


def test_bad_settings_change_nothing(server: Server) -> None:
    server.home.with_suffix(".json").write_text("{", encoding="utf-8")
    await_that(lambda: server.events("SettingsRefused"), "they are refused")
    assert server.generation() == 1


def test_settings_of_a_newer_format_are_named_and_the_last_good_ones_kept(server: Server) -> None:
    put_settings(server.home.with_suffix(".json"), format=2, port=server.port)
    (refused,) = await_that(lambda: server.events("SettingsRefused"), "they are refused")
    assert "format: is 2, this program reads 1; remedy: upgrade the program that reads this" in str(refused)
    assert server.generation() == 1


def test_keys_of_a_newer_controller_are_ignored_and_named(server: Server) -> None:
    clients = [{"name": "acme", "kind": "tenant", "ring": "all", "sources": [CANARY_TENANT]}]
    put_settings(server.home.with_suffix(".json"), port=server.port, clients=clients, mirrors=3)
    await_that(lambda: len(server.events("SettingsLoaded")) == 2, "they are taken up")
    loaded = server.events("SettingsLoaded")[-1]
    assert loaded["unknown_keys"] == ["mirrors"]
    assert server.generation() == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"client": ""}', b"x" * 5_000, b'{"client": 7}'])
def test_rubbish_for_a_report_is_refused(server: Server, body: bytes) -> None:
    assert _post(server, body) in (400, 404, 413)


def test_a_report_is_taken(server: Server) -> None:
    assert _post(server, json.dumps({"client": "c1", "generation": 1}).encode()) == 204


def _post(server: Server, body: bytes) -> int:
    command = [
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "--data-binary",
        "@-",
        f"{server.url}/v1/report",
    ]
    done = subprocess.run(command, input=body, capture_output=True, timeout=30, check=True)
    return int(done.stdout)


def test_a_thousand_who_wait_are_all_told_at_once(server: Server, publisher: Publisher) -> None:
    assert asyncio.run(_told(server, publisher, 1_000)) == 1_000


async def _told(server: Server, publisher: Publisher, count: int) -> int:
    """Have so many wait, publish, and return how many were told of the new generation."""
    serial = _serial(server, CANARY_TENANT)
    request = f"GET /v1/wait?serial={serial} HTTP/1.1\r\nHost: av\r\nConnection: close\r\n\r\n".encode()
    connections = []
    for _ in range(count):
        connections.append(await asyncio.open_connection("127.0.0.1", server.port))
        connections[-1][1].write(request)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(publisher.publish, "for all who wait")

    async def is_told(reader: asyncio.StreamReader) -> bool:
        return b'"generation": 2' in await reader.read()

    async with asyncio.timeout(PATIENCE_S):
        told = await asyncio.gather(*(is_told(reader) for reader, _ in connections))
    for _, writer in connections:
        writer.close()
    return sum(told)
