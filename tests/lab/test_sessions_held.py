"""No edit of the policy, and no change of a pool, drops an open SMTP session."""

import errno
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.api.client import ApiClient
from controller.policy.model import PoolHealth
from lab import namespaces
from lab.lab import Lab
from lab.services.controllers import api_address
from tests.lab.conftest import POLICY, House, await_in_step
from tests.policies import accept_policy

pytestmark = pytest.mark.lab

_SESSIONS = 50
_SERVERS = (("203.0.113.10", "acme"), ("203.0.113.74", "globex"), ("2001:db8:a::10", "acme"))


class Session:
    """One SMTP session from `sender` to a tenant's server, opened and left open."""

    def __init__(self, pin: Path, server: str, tenant: str) -> None:
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        self._socket = namespaces.socket_inside(pin, family, socket.SOCK_STREAM)
        self._file = self._socket.makefile("rb")
        self._tenant = tenant
        try:
            self._socket.settimeout(20)
            self._socket.connect((server, 25))
            self.hear("220")
        except BaseException:
            self.close()
            raise

    def hear(self, code: str) -> None:
        while (line := self._file.readline().decode())[3:4] == "-":
            continue
        assert line.startswith(code), f"{self._tenant}: wanted {code}, heard {line!r}"

    def say(self, text: str, code: str) -> None:
        self.send(text)
        self.hear(code)

    def send(self, text: str) -> None:
        self._socket.sendall(text.encode() + b"\r\n")

    def begin(self) -> None:
        self.say("EHLO sender.example", "250")
        self.say("MAIL FROM:<someone@sender.example>", "250")
        self.say(f"RCPT TO:<alice@{self._tenant}.example>", "250")

    def finish(self) -> None:
        """Deliver a message over the session: both legs and the scan must still work."""
        self.say("DATA", "354")
        self.say("Subject: held\r\n\r\nbody\r\n.", "250")
        self.say("QUIT", "221")

    @property
    def client(self) -> str:
        """Our end, as journals write it."""
        address, port = self._socket.getsockname()[:2]
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    @property
    def number(self) -> int:
        return self._socket.fileno()

    def is_reset(self) -> bool:
        """Say whether the connection has ended with a reset."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNRESET

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@contextmanager
def sessions(lab: Lab, count: int, host: str = "sender") -> Iterator[list[Session]]:
    pin = lab.places.pin(host)
    with ExitStack() as stack:
        opened = []
        for number in range(count):
            session = Session(pin, *_SERVERS[number % len(_SERVERS)])
            stack.callback(session.close)
            session.begin()
            opened.append(session)
        yield opened


@pytest.fixture
def api(lab: Lab) -> Iterator[ApiClient]:
    api = ApiClient(api_address(lab.places))
    yield api
    apply(api, POLICY.read_text(encoding="utf-8"))
    for name in ("proxy1", "proxy2", "scanner1", "scanner2"):
        api.post(f"/v1/members/{name}", {"drained": False})


def apply(api: ApiClient, text: str) -> None:
    revision = accept_policy(api, str(POLICY), text)
    deadline = time.monotonic() + 60
    while (status := api.get("/v1/status"))["state"] != "confirmed" or status["revision"] != revision:
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    await_in_step(api)


def edited(old: str, new: str) -> str:
    text, count = re.subn(old, new, POLICY.read_text(encoding="utf-8"), count=1, flags=re.DOTALL)
    assert count == 1, old
    return text


_NEW_TENANT = """
  initech:
    prefixes: [203.0.113.128/26]
    gateways:
      initech-gw: {at: s1:19, mac: 02:aa:00:00:00:03, edge: [100.64.3.1]}
    mail: {mode: direct, scanners: scanners, servers: [203.0.113.130]}

pools:"""

EDITS = {
    "tenant added": edited(r"\npools:", _NEW_TENANT),
    "prefix grown": edited(r"prefixes: \[203.0.113.0/26,", "prefixes: [203.0.113.0/26, 203.0.113.192/26,"),
    "service closed": edited(r"      web:[^\n]*\n", ""),
    "server added": edited(r"servers: \[203.0.113.10, ", "servers: [203.0.113.11, 203.0.113.10, "),
    "server moved": edited(
        r"servers: \[203.0.113.10, \"2001:db8:a::10\"\]\n      scan", "servers: [203.0.113.11]\n      scan"
    ),
    "rule changed": edited(r"client: \[198.51.100.200/32\]", "client: [198.51.100.0/24]"),
    "member added": edited(
        r"(      proxy2:[^\n]*\n)",
        r"\1      proxy3: {at: s1:19, mac: 02:cc:00:00:00:03, addresses: [192.0.2.13]}\n",
    ),
    "member removed": edited(r"      proxy2:[^\n]*\n", ""),
    "weights changed": edited(
        r"192.0.2.11, \"2001:db8:e::11\"\]", r'192.0.2.11, "2001:db8:e::11"], weight: 9'
    ),
    "acme direct": edited(
        r"mode: proxy\n      proxies: proxies\n(      scanners: scanners\n      servers[^\n]*\n)"
        r"      scan:.*?(      on_verdict)",
        r"mode: direct\n\1\2",
    ),
    "mode changed": edited(
        r"mode: direct\n      scanners: scanners\n",
        "mode: proxy\n      proxies: proxies\n      scanners: scanners\n",
    ),
}


@pytest.mark.parametrize("edit", EDITS, ids=lambda name: name.replace(" ", "-"))
def test_an_edit_of_the_policy_holds_every_open_session(lab: Lab, api: ApiClient, edit: str) -> None:
    with sessions(lab, _SESSIONS) as opened:
        apply(api, EDITS[edit])
        for session in opened:
            session.finish()


@pytest.mark.parametrize("member", ["proxy1", "proxy2", "scanner1", "scanner2"])
def test_draining_a_member_holds_every_open_session(lab: Lab, api: ApiClient, member: str) -> None:
    with sessions(lab, _SESSIONS) as opened:
        api.post(f"/v1/members/{member}", {"drained": True})
        for session in opened:
            session.finish()


def test_a_drained_proxy_is_empty_when_its_last_session_has_ended(lab: Lab, api: ApiClient) -> None:
    with sessions(lab, 12) as opened:
        assert api.post("/v1/members/proxy1", {"drained": True})["state"] == "draining"
        command = [
            sys.executable,
            "-m",
            "cli.main",
            "pool",
            "drain",
            "proxy1",
            "--wait",
            "--patience",
            "30s",
        ]
        waiting = subprocess.Popen([*command, "--api", api.address], stdout=subprocess.PIPE, encoding="utf-8")
        for session in opened:
            session.finish()
        said, _ = waiting.communicate(timeout=40)
    assert waiting.returncode == 0
    assert "proxy1 is empty, safe to stop" in said


@dataclass
class Load:
    """Senders that send one message after the other until told to stop; what failed is kept."""

    lab: Lab
    sent: int = 0
    failures: list[str] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def run(self, server: str, tenant: str) -> None:
        pin = self.lab.places.pin("sender")
        while not self._is_over.is_set():
            try:
                session = Session(pin, server, tenant)
                try:
                    session.begin()
                    session.finish()
                finally:
                    session.close()
                self.sent += 1
            except (OSError, AssertionError) as error:
                self.failures.append(f"{tenant}: {error!r}")

    def await_more(self, count: int) -> None:
        wanted, deadline = self.sent + count, time.monotonic() + 40
        while self.sent < wanted:
            assert time.monotonic() < deadline, self.failures[-3:]
            time.sleep(0.02)

    @contextmanager
    def going(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.run, args=each) for each in _SERVERS]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()


@pytest.fixture
def new_lab(house: House) -> Lab:
    """A lab whose switch remembers no session that a test before has left half-dead."""
    house.close()
    return house.open()


def test_a_pool_is_restarted_member_by_member_under_load_and_no_message_fails(
    new_lab: Lab, api: ApiClient
) -> None:
    lab = new_lab
    load = Load(lab)
    lab_command = f"{sys.executable} -m cli.main lab"
    restart = f"{lab_command} stop {{member}}.mail && {lab_command} start {{member}}.mail"
    command = [sys.executable, "-m", "cli.main", "pool", "roll", "proxies", "--command", restart]
    with load.going():
        done = subprocess.run(
            [*command, "--api", api.address],
            capture_output=True,
            encoding="utf-8",
            timeout=100,
            env={**os.environ, "POSTERN_LAB_DIR": str(lab.places.root)},
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 2 members of proxies have been restarted" in done.stdout
    assert load.failures == []
    assert load.sent > 20


@contextmanager
def stopped(lab: Lab, *parts: str) -> Iterator[None]:
    """The same lab with some programs killed for a while."""
    try:
        for part in parts:
            lab.stop(part, patience_s=0)
        yield
    finally:
        for part in parts:
            lab.start(part)


def _states(api: ApiClient) -> dict[str, str]:
    return {member["name"]: member["state"] for pool in api.get("/v1/pools") for member in pool["members"]}


def _await_state(api: ApiClient, member: str, state: str) -> float:
    """Return after how many seconds a member had a state."""
    begun = time.monotonic()
    while _states(api)[member] != state:
        assert time.monotonic() - begun < 60, _states(api)
        time.sleep(0.02)
    return time.monotonic() - begun


@pytest.mark.parametrize(
    ("part", "member"),
    [("proxy1.mail", "proxy1"), ("scanner2.mail", "scanner2"), ("scanner1.clamd", "scanner1")],
)
def test_a_killed_member_gets_no_new_sessions_and_all_that_senders_see_is_try_again(
    lab: Lab, api: ApiClient, part: str, member: str
) -> None:
    load = Load(lab)
    with load.going():
        load.await_more(3)
        with stopped(lab, part):
            _await_state(api, member, "down")
            load.await_more(9)  # sessions that the member had taken have ended by now, well or not
            failed = len(load.failures)
            load.await_more(30)
            assert load.failures[failed:] == []
        _await_state(api, member, "up")
    heard = [each for each in load.failures if "heard '5" in each]
    assert heard == [], "a sender was told that mail is refused for good"


def test_a_dead_agent_alone_takes_its_member_out_and_a_new_one_brings_it_back(
    lab: Lab, api: ApiClient
) -> None:
    with stopped(lab, "proxy2.agent"):
        _await_state(api, "proxy2", "down")
    _await_state(api, "proxy2", "up")


def test_without_any_agent_mail_goes_on(lab: Lab, api: ApiClient) -> None:
    with stopped(lab, "proxy1.agent", "proxy2.agent"):
        time.sleep(PoolHealth().silence_s + 1)
        assert "up" in (_states(api)["proxy1"], _states(api)["proxy2"])
        with sessions(lab, 3) as opened:
            for session in opened:
                session.finish()
