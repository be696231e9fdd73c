"""Bad luck while mail flows: nothing accepted is lost, and all that senders see heals when they try again."""

import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.api.client import ApiClient
from lab import processes, switches
from lab.lab import Lab
from lab.paths import REPOSITORY
from lab.services.controllers import api_address
from tests.lab.test_sessions_held import Session, sessions
from tests.lab.traffic import SENDERS, Traffic

pytestmark = pytest.mark.lab

_OVS_START = REPOSITORY / "deploy" / "setup" / "ovs-start"
BACK = {"up", "held"}  # held: well, but it fell too often lately, perhaps in other tests
_SWITCH_PID = Path("/var/run/openvswitch/ovs-vswitchd.pid")


@pytest.fixture
def api(lab: Lab) -> Iterator[ApiClient]:
    api = ApiClient(api_address(lab.places))
    yield api
    await_states(api, BACK)


@pytest.fixture
def traffic(lab: Lab, api: ApiClient) -> Iterator[Traffic]:
    """Mail that flows for the whole test; at the end all of it must be where it should be."""
    traffic = Traffic(lab)
    with traffic.going():
        yield traffic
    print(f"\n{traffic.report}")
    assert traffic.complaints() == []


def states(api: ApiClient) -> dict[str, str]:
    return {member["name"]: member["state"] for pool in api.get("/v1/pools") for member in pool["members"]}


def await_states(api: ApiClient, wanted: set[str], members: tuple[str, ...] = ()) -> float:
    """Return after how many seconds these members, or all, had one of some states."""
    begun = time.monotonic()
    while not all(state in wanted for name, state in states(api).items() if name in (members or (name,))):
        assert time.monotonic() - begun < 60, states(api)
        time.sleep(0.02)
    return time.monotonic() - begun


def kill(lab: Lab, part: str) -> None:
    """kill -9, without a word of warning."""
    os.kill(lab.process(part).pid, signal.SIGKILL)


@contextmanager
def frozen(lab: Lab, part: str) -> Iterator[None]:
    """A program that holds its port open and does nothing; so do its children."""
    leader = lab.process(part)
    pids = [process.pid for process in (leader, *processes.descendants([leader]))]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@contextmanager
def unplugged(*interfaces: str) -> Iterator[None]:
    for interface in interfaces:
        subprocess.run(["ip", "link", "set", interface, "down"], check=True)
    try:
        yield
    finally:
        for interface in interfaces:
            subprocess.run(["ip", "link", "set", interface, "up"], check=True)


@pytest.mark.parametrize("part", ["proxy1.mail", "scanner1.mail", "scanner2.clamd", "proxy2.agent"])
def test_a_program_is_killed_and_comes_back(lab: Lab, api: ApiClient, traffic: Traffic, part: str) -> None:
    kill(lab, part)
    await_states(api, {"down"}, (part.partition(".")[0],))
    traffic.await_more(30)
    lab.start(part)
    await_states(api, BACK)
    traffic.await_more(30)


@pytest.mark.parametrize("part", ["proxy1.mail", "scanner2.mail", "scanner1.clamd"])
def test_a_member_takes_connections_and_answers_nothing(
    lab: Lab, api: ApiClient, traffic: Traffic, part: str
) -> None:
    with frozen(lab, part):
        await_states(api, {"down"}, (part.partition(".")[0],))
        traffic.await_more(30)
    await_states(api, BACK)
    traffic.await_more(30)


def test_a_cable_that_comes_and_goes(lab: Lab, api: ApiClient, traffic: Traffic) -> None:
    for _ in range(6):
        with unplugged("s1-eth4"):
            time.sleep(0.7)
        time.sleep(0.7)
    await_states(api, BACK)
    traffic.await_more(30)


def test_all_proxies_are_gone_and_come_back(lab: Lab, api: ApiClient, traffic: Traffic) -> None:
    with unplugged("s1-eth4", "s1-eth5"):
        await_states(api, {"down"}, ("proxy1", "proxy2"))
        traffic.await_more(10)  # globex's, whose scanners are well
        time.sleep(2)
    await_states(api, BACK)
    traffic.await_more(30)


def test_the_controller_is_gone_for_the_whole_time_and_a_port_goes_down(
    lab: Lab, api: ApiClient, traffic: Traffic
) -> None:
    kill(lab, "controller")
    try:
        traffic.await_more(30)
        with unplugged("s1-eth5"):
            traffic.await_more(40)
        traffic.await_more(30)
    finally:
        lab.start("controller")


def flow_count() -> int:
    command = ["ovs-ofctl", "-O", "OpenFlow14", "dump-flows", "s1"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    return len(re.findall(r"duration=", done.stdout))


def kill_the_switch_process(lab: Lab) -> None:
    """Kill ovs-vswitchd and who watches over it. Fail where a bridge is somebody else's."""
    others = [bridge.name for bridge in switches.bridges() if bridge.directory != str(lab.places.root)]
    assert not others, (
        f"this test kills ovs-vswitchd, which also serves {', '.join(others)}; remedy: make lab-tests, "
        "or tests/apart COMMAND, which has an Open vSwitch of its own"
    )
    worker = int(_SWITCH_PID.read_text(encoding="utf-8"))
    monitor = processes.parent(worker)
    if "ovs-vswitchd" in Path(f"/proc/{monitor}/cmdline").read_text(encoding="utf-8"):
        os.kill(monitor, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)


def restart_the_switch_process(lab: Lab) -> float:
    """Return how many seconds after its start all flows were back."""
    flows = flow_count()
    assert flows > 100
    kill_the_switch_process(lab)
    time.sleep(0.5)
    begun = time.monotonic()
    with subprocess.Popen([str(_OVS_START)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        while flow_count() < flows:
            assert time.monotonic() - begun < 60, f"{flow_count()} of {flows} flows are back"
            time.sleep(0.02)
        return time.monotonic() - begun


def test_the_switch_process_is_killed_and_started_again(lab: Lab, api: ApiClient, traffic: Traffic) -> None:
    """A sender may wait in vain once: for a session so young that the controller had not seen it."""
    rules_s = restart_the_switch_process(lab)
    mail_s = traffic.await_more(1)
    traffic.await_more(60)
    print(f"\nrules are back {rules_s:.2f} s after the start, mail {mail_s:.2f} s later")
    assert rules_s < 30
    assert sum(failure.is_silence for failure in traffic.failures) <= len(SENDERS)


def outcome(session: Session) -> str:
    """Return what becomes of a message that has been sent whole."""
    try:
        session.hear("250")
    except TimeoutError:
        return "silence"
    except (OSError, AssertionError) as error:
        return repr(error)
    return "accepted"


def test_messages_that_wait_for_an_answer_while_the_switch_restarts_get_one(lab: Lab, api: ApiClient) -> None:
    """Their senders say nothing more, and the answer would meet a switch that knows nothing of them."""
    with sessions(lab, 12) as opened:
        for session in opened:
            session.say("DATA", "354")
        with frozen(lab, "acme-mx.postfix"), frozen(lab, "globex-mx.postfix"):
            for session in opened:
                session.send("Subject: held\r\n\r\nbody\r\n.")
            time.sleep(2)  # the controller looks at sessions once in a second
            restart_the_switch_process(lab)
            time.sleep(1)
        begun = time.monotonic()
        outcomes = Counter(outcome(session) for session in opened)
        print(f"\n{dict(outcomes)} within {time.monotonic() - begun:.2f} s")
    assert outcomes["silence"] == 0
    assert outcomes["accepted"] > 0
