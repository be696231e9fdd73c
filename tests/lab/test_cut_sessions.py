"""Sessions of a member that is gone end at once, so that senders try again instead of waiting for TCP."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from controller.api.client import ApiClient
from lab.lab import Lab
from lab.services.controllers import api_address
from tests.lab.conftest import await_in_step
from tests.lab.test_sessions_held import Session, sessions

pytestmark = pytest.mark.lab

_CONNECTING = 16  # clients, so that about half of them are with either proxy
_PROMPTLY_S = 5.0  # about 0.2 s alone on two cores


@contextmanager
def unplugged(interface: str) -> Iterator[None]:
    subprocess.run(["ip", "link", "set", interface, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "set", interface, "up"], check=True)


@pytest.fixture(autouse=True)
def all_members_take_sessions(lab: Lab) -> Iterator[None]:
    _await_all(lab)
    yield
    _await_all(lab)


def _await_all(lab: Lab) -> None:
    deadline = time.monotonic() + 60
    while any(_states(lab)[name] != "up" for name in ("proxy1", "proxy2", "scanner1", "scanner2")):
        assert time.monotonic() < deadline, _states(lab)
        time.sleep(0.1)
    await_in_step(ApiClient(api_address(lab.places)))


def _states(lab: Lab) -> dict[str, str]:
    return {member["name"]: member["state"] for member in _members(lab)}


def _sessions(lab: Lab) -> dict[str, int | None]:
    return {member["name"]: member["sessions"] for member in _members(lab)}


def _members(lab: Lab) -> list[dict[str, Any]]:
    pools = ApiClient(api_address(lab.places)).get("/v1/pools")
    return [member for pool in pools for member in pool["members"]]


def cut_within(opened: list[Session], within_s: float) -> list[Session]:
    """Return the sessions whose connection is reset within a time, while they only wait."""
    poll, by_number = select.poll(), {session.number: session for session in opened}
    for number in by_number:
        poll.register(number, select.POLLIN)
    reset: list[Session] = []
    deadline = time.monotonic() + within_s
    while (left := deadline - time.monotonic()) > 0 and len(reset) < len(opened):
        for number, _ in poll.poll(left * 1000):
            poll.unregister(number)
            assert by_number[number].is_reset()
            reset.append(by_number[number])
            deadline = min(deadline, time.monotonic() + 1)
    return reset


def test_clients_that_wait_are_reset_when_the_port_of_their_proxy_goes_down(lab: Lab) -> None:
    with sessions(lab, 24) as opened:
        begun = time.monotonic()
        with unplugged("s1-eth4"):
            cut = cut_within(opened, _PROMPTLY_S)
            print(f"{len(cut)} sessions were cut within {time.monotonic() - begun:.2f} s")
            assert 0 < len(cut) < len(opened)
            for session in set(opened) - set(cut):
                session.finish()
            with sessions(lab, 6) as again:
                for session in again:
                    session.finish()


def test_clients_in_the_middle_of_a_message_are_reset_and_may_send_it_again(lab: Lab) -> None:
    with sessions(lab, 24) as opened:
        for session in opened:
            session.say("DATA", "354")
        with unplugged("s1-eth5"):
            cut = cut_within(opened, _PROMPTLY_S)
            assert cut
            for session in set(opened) - set(cut):
                session.say("Subject: held\r\n\r\nbody\r\n.", "250")


def test_clients_of_a_gateway_that_hangs_are_reset(lab: Lab) -> None:
    process = next(row.process for row in lab.status() if row.part.name == "proxy2.mail")
    assert process is not None
    with sessions(lab, 24) as opened:
        os.kill(process.pid, signal.SIGSTOP)
        try:
            assert cut_within(opened, _PROMPTLY_S * 2)
        finally:
            os.kill(process.pid, signal.SIGCONT)


def test_a_client_that_was_connecting_when_its_proxy_died_is_served_and_counted_until_its_session_ends(
    lab: Lab,
) -> None:
    """A gateway that was killed says nothing to new clients (docs/pools.md)."""
    lab.stop("proxy1.mail", patience_s=0)
    try:
        with ThreadPoolExecutor(_CONNECTING) as pool, ExitStack() as stack:
            attempts = [
                pool.submit(Session, lab.places.pin("sender"), "203.0.113.10", "acme")
                for _ in range(_CONNECTING)
            ]
            for attempt in attempts:
                session = attempt.result()
                stack.callback(session.close)
                session.begin()
                session.finish()
        _await_no_session(lab, "proxy2")
    finally:
        lab.start("proxy1.mail")


def _await_no_session(lab: Lab, member: str) -> None:
    deadline = time.monotonic() + 60
    while (left := _sessions(lab)[member]) != 0:
        assert time.monotonic() < deadline, f"{left} sessions of {member} are counted after their end"
        time.sleep(0.1)


def test_a_scanner_whose_clamd_died_keeps_its_sessions(lab: Lab) -> None:
    with sessions(lab, 12) as opened:
        lab.stop("scanner1.clamd", 0)
        try:
            assert cut_within(opened, 3) == []
        finally:
            lab.start("scanner1.clamd")
        for session in opened:
            session.finish()
