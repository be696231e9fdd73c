"""Members that die, hang, grow stale, or cannot make up their minds: what new sessions meet, and how soon."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controller.api.client import ApiClient
from lab import namespaces
from lab.lab import Lab
from lab.paths import REPOSITORY
from lab.services.controllers import api_address
from tests.journals import read_journal
from tests.lab.conftest import POLICY, UNSUSPICIOUS, await_in_step
from tests.lab.test_sessions_held import Load, Session, apply
from tests.setup.clamd import SIGNATURES, copy_signatures
from tests.setup.dated import daily_cud

pytestmark = pytest.mark.lab

_SERVER, _TENANT = "203.0.113.10", "acme"
_PATIENCE_S = 30.0
_DAY_S = 86_400.0
_SLOW_S = 0.9  # a greeting takes some milliseconds; a SYN is repeated after one second (RFC 6298, 2.1)


@pytest.fixture
def api(lab: Lab) -> Iterator[ApiClient]:
    api = ApiClient(api_address(lab.places))
    yield api
    apply(api, POLICY.read_text(encoding="utf-8"))
    for name in ("proxy1", "proxy2", "scanner1", "scanner2"):
        api.post(f"/v1/members/{name}", {"drained": False})


def member(api: ApiClient, name: str) -> dict[str, Any]:
    rows = [row for pool in api.get("/v1/pools") for row in pool["members"]]
    return next(row for row in rows if row["name"] == name)


def await_state(api: ApiClient, name: str, *states: str) -> float:
    """Return after how many seconds a member had one of some states."""
    begun = time.monotonic()
    while (row := member(api, name))["state"] not in states:
        assert time.monotonic() - begun < _PATIENCE_S, row
        time.sleep(0.02)
    return time.monotonic() - begun


def events(lab: Lab, name: str) -> list[dict[str, Any]]:
    return read_journal(lab.places.log("controller"), name, is_mixed=True)


@dataclass(frozen=True, slots=True)
class Knock:
    """One new connection: when it began, and how long its greeting took; it may never have come."""

    begun: float
    took_s: float
    is_greeted: bool

    @property
    def met_a_dead_member(self) -> bool:
        return not self.is_greeted or self.took_s > _SLOW_S


def knock(pin: Path) -> Knock:
    begun = time.monotonic()
    try:
        with namespaces.socket_inside(pin, socket.AF_INET, socket.SOCK_STREAM) as connection:
            connection.settimeout(5.0)
            connection.connect((_SERVER, 25))
            is_greeted = connection.recv(3) == b"220"
    except OSError:
        is_greeted = False
    return Knock(begun, time.monotonic() - begun, is_greeted)


@contextmanager
def knocking(lab: Lab) -> Iterator[list[Knock]]:
    """Begin a connection every few milliseconds, whatever became of the others; hand all over at the end."""
    pin, knocks, is_over = lab.places.pin("sender"), list[Knock](), threading.Event()
    with ThreadPoolExecutor(200) as pool:

        def begin_all() -> list[Future[Knock]]:
            begun = []
            while not is_over.wait(0.01):
                begun.append(pool.submit(knock, pin))
            return begun

        beginning = pool.submit(begin_all)
        try:
            yield knocks
        finally:
            is_over.set()
            knocks += [each.result() for each in beginning.result()]


def test_new_connections_avoid_a_gateway_that_was_killed_within_a_second(lab: Lab, api: ApiClient) -> None:
    with knocking(lab) as knocks:
        time.sleep(1)
        killed_at = time.monotonic()
        lab.stop("proxy1.mail", patience_s=0)
        time.sleep(3)
    lab.start("proxy1.mail")
    await_state(api, "proxy1", "up")
    unlucky = [each for each in knocks if each.met_a_dead_member and each.begun > killed_at]
    last = max(each.begun for each in unlucky) - killed_at
    waited = max(each.took_s for each in unlucky)
    print(f"new connections met the killed gateway for {last:.2f} s; the longest wait was {waited:.2f} s")
    assert len(knocks) > 100
    assert last < 3.0, "0.3 s to 0.7 s alone on two cores"


@contextmanager
def hanging(lab: Lab, part: str) -> Iterator[None]:
    """A program that accepts connections, because its kernel does, and never says a word."""
    process = next(row.process for row in lab.status() if row.part.name == part)
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_new_connections_avoid_a_gateway_that_hangs(lab: Lab, api: ApiClient) -> None:
    with hanging(lab, "proxy2.mail"):
        took = await_state(api, "proxy2", "down")
        print(f"a gateway that hangs was down {took:.2f} s later")
        assert took < 5.0, "1.2 s to 1.6 s alone on two cores"
        assert "no answer within" in member(api, "proxy2")["detail"]
        await_in_step(api)
        for _ in range(20):
            session = Session(lab.places.pin("sender"), _SERVER, _TENANT)
            session.close()
    await_state(api, "proxy2", "up")


def test_new_scans_avoid_a_clamd_that_hangs(lab: Lab, api: ApiClient) -> None:
    with hanging(lab, "scanner1.clamd"):
        took = await_state(api, "scanner1", "down")
        print(f"a clamd that hangs was down {took:.2f} s later")
        await_in_step(api)
        load = Load(lab)
        with load.going():
            load.await_more(12)
        assert load.failures == []
    await_state(api, "scanner1", "up")


@contextmanager
def old_signatures(lab: Lab, scanner: str, age_s: float) -> Iterator[None]:
    """The scanner's clamd with a database of a certain age, in place of its own."""
    home = lab.places.home(f"{scanner}.clamd")
    signatures = home / "old"
    copy_signatures(SIGNATURES, signatures)
    (signatures / "daily.cud").write_bytes(daily_cud(time.time() - age_s))
    ours = (home / "clamd.conf").read_text(encoding="utf-8")
    theirs = ours.replace(f"DatabaseDirectory {home}/signatures", f"DatabaseDirectory {signatures}")
    assert theirs != ours
    (home / "old.conf").write_text(theirs, encoding="utf-8")
    lab.stop(f"{scanner}.clamd")
    command = lab.command_in(scanner, ["clamd", "--foreground", f"--config-file={home / 'old.conf'}"])
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as clamd:
        try:
            yield
        finally:
            clamd.terminate()
            clamd.wait(10)
            shutil.rmtree(signatures)
            lab.start(f"{scanner}.clamd")


def test_a_scanner_with_old_signatures_scans_only_when_no_fresh_one_does(lab: Lab, api: ApiClient) -> None:
    with old_signatures(lab, "scanner1", 30 * _DAY_S):
        await_state(api, "scanner1", "stale")
        row = member(api, "scanner1")
        assert "signatures are 30 days old, more than 7 days" in row["detail"]
        assert row["share_percent"] == 0
        with old_signatures(lab, "scanner2", 10 * _DAY_S):
            await_state(api, "scanner2", "stale")
            assert [member(api, f"scanner{number}")["share_percent"] for number in (1, 2)] == [50, 50]
            session = Session(lab.places.pin("sender"), _SERVER, _TENANT)
            session.begin()
            session.finish()
            session.close()
        await_state(api, "scanner2", "up")
        assert member(api, "scanner1")["share_percent"] == 0
    await_state(api, "scanner1", "up")


def bounce(lab: Lab, api: ApiClient, name: str) -> None:
    lab.stop(f"{name}.mail", patience_s=0)
    await_state(api, name, "down")
    lab.start(f"{name}.mail")
    await_state(api, name, "up", "held")


def test_a_gateway_that_dies_again_and_again_is_held_down_and_mail_goes_on(lab: Lab, api: ApiClient) -> None:
    apply(api, POLICY.read_text(encoding="utf-8").replace("hold_down: 0s", "hold_down: 8s"))
    before = len(events(lab, "MemberHeldDown"))
    load = Load(lab)
    with load.going():
        for _ in range(3):
            assert member(api, "proxy1")["state"] == "up"
            bounce(lab, api, "proxy1")
        row = member(api, "proxy1")
        assert row["state"] == "held"
        assert row["detail"] == "held down for 8 s: it went down 3 times in 10 min"
        failed = len(load.failures)
        load.await_more(12)
        assert load.failures[failed:] == []
    (event,) = events(lab, "MemberHeldDown")[before:]
    assert (event["member"], event["seconds"]) == ("proxy1", 8.0)
    await_state(api, "proxy1", "up")
    refused = [failure for failure in load.failures if "heard '5" in failure]
    assert refused == [], "a sender was told that mail is refused for good"


def test_a_gateway_that_comes_back_gets_few_sessions_at_first(lab: Lab, api: ApiClient) -> None:
    apply(api, POLICY.read_text(encoding="utf-8").replace("slow_start: 0s", "slow_start: 4s"))
    time.sleep(4)  # proxy2 may have come back just now, and nobody starts slowly while nobody is warm
    bounce(lab, api, "proxy1")
    begun, shares = time.monotonic(), [member(api, "proxy1")["share_percent"]]
    while shares[-1] < 50:
        assert time.monotonic() - begun < _PATIENCE_S, shares
        time.sleep(0.2)
        shares.append(member(api, "proxy1")["share_percent"])
    assert shares[0] in (17, 29)
    assert shares == sorted(shares)
    assert len(set(shares)) >= 4


def test_an_agent_that_was_killed_is_as_good_as_a_dead_member_until_it_is_back(
    lab: Lab, api: ApiClient
) -> None:
    lab.stop("scanner2.agent", patience_s=0)
    await_state(api, "scanner2", "down")
    assert "no report for 3 s" in member(api, "scanner2")["detail"]
    load = Load(lab)
    with load.going():
        load.await_more(6)
    assert load.failures == []
    lab.start("scanner2.agent")
    await_state(api, "scanner2", "up")


def test_nobody_goes_down_while_mail_flows(lab: Lab, api: ApiClient) -> None:
    for name in ("proxy1", "proxy2", "scanner1", "scanner2"):
        await_state(api, name, "up")
    before = len(events(lab, "MemberChanged"))
    load = Load(lab)
    with load.going():
        load.await_more(60)
    assert events(lab, "MemberChanged")[before:] == []
    assert load.failures == []


def test_the_policies_of_these_tests_differ_from_ours_in_patience_and_suspicion_only() -> None:
    ours = (REPOSITORY / "policies" / "demo.yaml").read_text(encoding="utf-8")
    calmed = Path(POLICY).read_text(encoding="utf-8")
    assert calmed.endswith(UNSUSPICIOUS)
    impatient = calmed.removesuffix(UNSUSPICIOUS).replace("{slow_start: 0s, hold_down: 0s}", "agent")
    assert impatient == ours
