"""A member's host has the controller's API and settings as if it were beside it, and keeps what it has."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from common.api import ApiAccess, parse_address
from controller.api.client import ApiClient, ApiError, ControllerUnreachable
from services.base.controller import ControllerRefused, NotHeard, request
from tests.mail.conftest import ROOT, stop
from tests.uplink.conftest import MEMBER, Controller, Uplink, eventually

pytestmark = pytest.mark.programs


def ask(uplink: Uplink, path: str) -> object:
    return asyncio.run(request(ApiAccess(parse_address(f"unix:{uplink.socket}")), "GET", path, within_s=30))


def test_settings_arrive_and_follow_every_edit(uplink: Uplink) -> None:
    uplink.start()
    settings = uplink.wait_for_revision(1)
    beside = uplink.controller.home / "state" / "gateways" / "decoys.json"
    assert settings == json.loads(beside.read_text(encoding="utf-8"))
    assert uplink.settings.stat().st_mode & 0o777 == 0o600  # it holds the pool's secret
    assert uplink.controller.edit("ports: [80]", "ports: [8080]") == 2
    uplink.wait_for_revision(2)


def test_settings_that_did_not_change_are_not_written_again(uplink: Uplink) -> None:
    uplink.start()
    uplink.wait_for_revision(1)
    before = uplink.settings.stat()
    stop(uplink.process)  # type: ignore[arg-type]
    uplink.start()
    uplink.wait_for("SettingsBrought", 2)
    assert uplink.settings.stat().st_ino == before.st_ino


def test_an_agent_on_the_host_is_heard(uplink: Uplink) -> None:
    uplink.member = "responders.responder1"
    uplink.hand_over(uplink.controller.token(uplink.member))
    uplink.start()
    arguments = ["--api", f"unix:{uplink.socket}", "--member", uplink.member, "--address", "127.0.0.3"]
    agent = subprocess.Popen(
        [sys.executable, "-m", "services.health_agent.main", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )

    def is_heard() -> bool:
        pools = {pool["name"]: pool for pool in uplink.controller.api.get("/v1/pools")}
        (row,) = pools["responders"]["members"]
        return "127.0.0.3" in row["detail"]  # nothing listens there, and the agent says so

    try:
        eventually(is_heard, lambda: uplink.controller.api.get("/v1/pools"))
    finally:
        stop(agent)


def test_what_a_member_may_not_it_may_not_through_the_uplink_either(uplink: Uplink) -> None:
    uplink.start()
    for path in ("/v1/status", "/v1/members/proxies.proxy1/health", "/v1/settings/proxies"):
        with pytest.raises(ControllerRefused):
            ask(uplink, path)
    with pytest.raises(ApiError):
        uplink.api.delete("/v1/tokens/" + MEMBER)


def test_while_the_controller_is_away_settings_stay_and_everybody_is_told_at_once(uplink: Uplink) -> None:
    uplink.start()
    uplink.wait_for_revision(1)
    uplink.controller.stop()
    begun = time.monotonic()
    with pytest.raises(NotHeard) as caught:
        ask(uplink, f"/v1/members/{MEMBER}/health")
    assert not isinstance(caught.value, ControllerRefused)  # so evidence waits
    assert time.monotonic() - begun < 15  # of 30
    uplink.wait_for("ControllerAway")
    assert uplink.settings.exists()
    uplink.controller.start()
    uplink.wait_for("ControllerBack")
    assert ask(uplink, f"/v1/members/{MEMBER}/health")
    assert uplink.count("ControllerAway") == 1


def test_a_token_that_was_ended_is_told_and_a_new_one_is_used_at_once(uplink: Uplink) -> None:
    uplink.start()
    uplink.wait_for_revision(1)
    uplink.controller.api.delete(f"/v1/tokens/{MEMBER}")
    assert "postern token add" in uplink.wait_for("ControllerAway")["reason"]
    uplink.hand_over(uplink.controller.token(MEMBER))
    uplink.wait_for("ControllerBack")
    uplink.controller.edit("ports: [80]", "ports: [8080]")
    uplink.wait_for_revision(2)


def test_a_controller_that_cannot_prove_itself_gets_no_token(uplink: Uplink, tmp_path: Path) -> None:
    """Another certificate is where the controller should be."""
    forged = tmp_path / "forged.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
         "-keyout", tmp_path / "key.pem", "-out", forged],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    uplink.start("--ca-file", str(forged))
    assert "certificate.pem" in uplink.wait_for("ControllerAway")["reason"]
    assert not uplink.settings.exists()


def test_who_speaks_no_tls_or_hangs_up_disturbs_nobody_and_fills_no_log(
    uplink: Uplink, controller: Controller
) -> None:
    uplink.start()
    uplink.wait_for_revision(1)
    log = controller.log.stat().st_size
    mute = [socket.create_connection(("127.0.0.1", controller.port), timeout=5) for _ in range(50)]
    for garbage in (
        b"GET /v1/status HTTP/1.0\r\n\r\n",
        os.urandom(300),
        b"\x16\x03\x01\x02\x00" + b"\0" * 300,
    ):
        with socket.create_connection(("127.0.0.1", controller.port), timeout=5) as connection:
            connection.sendall(garbage)
            with contextlib.suppress(OSError):  # the controller may have reset it already
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1_000):
                    pass
    context = ssl.create_default_context(cafile=str(controller.certificate))
    with (
        socket.create_connection(("127.0.0.1", controller.port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(b"\0\xff\r\n\r\n")
        assert b" 400 " in connection.recv(1_000)
    assert ask(uplink, f"/v1/members/{MEMBER}/health")
    for each in mute:
        each.close()
    time.sleep(0.2)
    assert "Traceback" not in controller.log.read_text(encoding="utf-8")[log:]


def test_a_killed_one_leaves_nothing_in_the_way_of_the_next(uplink: Uplink) -> None:
    uplink.start()
    assert uplink.process is not None
    uplink.process.send_signal(signal.SIGKILL)
    uplink.process.wait(5)
    uplink.start()
    assert ask(uplink, f"/v1/members/{MEMBER}/health")


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_token_that_others_may_read_is_not_used(uplink: Uplink, mode: int) -> None:
    uplink.token.chmod(mode)
    done = subprocess.run(uplink.command(), cwd=ROOT, capture_output=True, encoding="utf-8", timeout=20)
    assert done.returncode == 1
    assert f"chmod 600 {uplink.token}" in done.stderr


def break_key(place: Path) -> None:
    (place / "key.pem").unlink()


def forge_certificate(place: Path) -> None:
    (place / "certificate.pem").write_text("no certificate\n", encoding="utf-8")


def lock_key(place: Path) -> None:
    """One that asks for a passphrase, where nobody is there to type it."""
    key, locked = place / "key.pem", place / "locked.pem"
    command = ["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(command, check=True, capture_output=True, timeout=20)
    locked.replace(key)


@pytest.mark.parametrize("spoil", [break_key, forge_certificate, lock_key])
def test_a_pair_that_cannot_be_used_is_named_and_the_edge_works_on(
    controller: Controller, spoil: Callable[[Path], None]
) -> None:
    controller.stop()
    place = controller.certificate.parent
    spoil(place)
    controller.start(over_tcp=False)
    eventually(lambda: "ApiNotServed" in controller.log.read_text(encoding="utf-8"), controller.log.read_text)
    (told,) = [
        line for line in controller.log.read_text(encoding="utf-8").splitlines() if "ApiNotServed" in line
    ]
    assert f"{place}/certificate.pem and {place}/key.pem: not a valid certificate and key" in told
    assert controller.api.get("/v1/status")["revision"] == 1


def test_the_certificate_outlives_the_controller_and_its_key_is_nobody_elses(controller: Controller) -> None:
    before = controller.certificate.read_bytes()
    assert (controller.certificate.parent / "key.pem").stat().st_mode & 0o777 == 0o600
    controller.stop()
    controller.start()
    assert controller.certificate.read_bytes() == before


def test_an_operator_on_another_host_reaches_the_api_over_tls(controller: Controller, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    made = controller.api.post("/v1/tokens", {"name": "me", "role": "operator"})
    token.write_text(made["token"], encoding="utf-8")
    access = ApiAccess(parse_address(controller.url), token, controller.certificate)
    assert ApiClient(access).get("/v1/status")["revision"] == 1
    assert asyncio.run(request(access, "GET", "/v1/status"))["revision"] == 1
    controller.api.delete("/v1/tokens/me")
    with pytest.raises(ApiError, match="no valid token"):
        ApiClient(access).get("/v1/status")
    with pytest.raises(NotHeard, match="no valid token") as refused:
        asyncio.run(request(access, "GET", "/v1/status"))
    assert not isinstance(refused.value, ControllerRefused)  # the same request may work with the next token


def test_a_controller_that_cannot_prove_itself_gets_no_operators_token(
    controller: Controller, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("a-token", encoding="utf-8")
    access = ApiAccess(parse_address(controller.url), token)  # trusts the system's authorities only
    with pytest.raises(ControllerUnreachable, match="remedy: --ca-file"):
        ApiClient(access).get("/v1/status")
    with pytest.raises(NotHeard, match="certificate"):
        asyncio.run(request(access, "GET", "/v1/status"))
