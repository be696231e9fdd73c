"""Four switches in a ring, two uplinks, a tenant with two gateways: mail crosses, whatever trunk dies."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from controller.api.client import ApiClient
from lab.datagrams import Stream, send_stream
from lab.demo.cases import CASES, Case
from lab.demo.verdicts import complaints
from lab.errors import LabError
from lab.frames import Segment
from lab.frames import send as send_frames
from lab.lab import Lab
from lab.mail import Letter, send
from lab.messages import build
from lab.services.controllers import api_address
from lab.trace_logs import Reader
from tests.lab.conftest import House, await_in_step
from tests.lab.test_sessions_held import sessions
from tests.policies import accept_policy

pytestmark = pytest.mark.lab

_CASES = [case for case in CASES if case.host != "partner"]  # the ring has no rule for the partner
_LINK_LOSS_MS = 50
_DATAGRAMS = 3_000

_STREAM = Stream("sender", "globex-mx", "203.0.113.74", 53)


@pytest.fixture
def ring(house: House) -> Lab:
    return house.open("ring")


@pytest.fixture
def reader(ring: Lab) -> Reader:
    return Reader(ring.scene())


@contextmanager
def down(ring: Lab, *interfaces: str) -> Iterator[None]:
    """Ports whose cable is pulled, for a while; they are up again for the controller, too, when it ends."""
    try:
        for interface in interfaces:
            subprocess.run(["ip", "link", "set", interface, "down"], check=True)
        yield
    finally:
        for interface in interfaces:
            subprocess.run(["ip", "link", "set", interface, "up"], check=True)
        await_ports(ring, 0)


def await_ports(ring: Lab, count: int) -> None:
    """Return when so many ports are down for the controller, and it has told the switches what follows.

    Where no controller runs, a moment is all that a switch needs.
    """
    if not _is_controlled(ring):
        time.sleep(0.5)
        return
    api = ApiClient(api_address(ring.places))
    deadline = time.monotonic() + 60
    while len(lines := _ports_down(api)) != count:
        assert time.monotonic() < deadline, lines
        time.sleep(0.02)
    await_in_step(api)


def _is_controlled(ring: Lab) -> bool:
    try:
        return ring.process("controller").is_alive
    except LabError:
        return False


def _ports_down(api: ApiClient) -> list[str]:
    return [
        line
        for row in api.get("/v1/status")["switches"]
        for line in row["problems"]
        if line.endswith(" is down")
    ]


def post(ring: Lab, reader: Reader, case: Case) -> list[str]:
    """Send one message of the demo; return what was otherwise than it should be."""
    message = build(case.content, "someone@sender.example", case.recipient)
    since = reader.bookmark()
    letter = Letter("someone@sender.example", case.recipient, case.server, message, case.tls)
    told = send(ring.places.pin(case.host), letter)
    found = reader.find(since, case.mail_host, lambda seen: not complaints(case, told, seen))
    return complaints(case, told, found)


@pytest.mark.parametrize("case", _CASES, ids=lambda case: f"{case.tenant}: {case.title}")
def test_each_message_of_the_demo_becomes_what_it_must_across_four_switches(
    ring: Lab, reader: Reader, case: Case
) -> None:
    assert post(ring, reader, case) == []


@pytest.mark.parametrize("trunk", ["s1-eth11", "s2-eth11", "s3-eth11", "s4-eth11"])
def test_mail_goes_on_when_a_trunk_dies(ring: Lab, reader: Reader, trunk: str) -> None:
    with down(ring, trunk):
        assert [post(ring, reader, case) for case in _CASES[:2]] == [[], []]


@pytest.mark.parametrize("trunk", ["s2-eth11", "s4-eth11"])
def test_open_sessions_outlive_a_trunk(ring: Lab, trunk: str) -> None:
    with sessions(ring, 12) as opened:
        with down(ring, trunk):
            for session in opened[:6]:
                session.finish()
        for session in opened[6:]:
            session.finish()


@pytest.mark.parametrize("trunk", ["s1-eth11", "s2-eth11", "s3-eth11", "s4-eth11"])
def test_sessions_old_and_new_outlive_a_trunk_while_no_controller_runs(ring: Lab, trunk: str) -> None:
    ring.stop("controller")
    try:
        with sessions(ring, 12) as opened, down(ring, trunk):
            for session in opened:
                session.finish()
            with sessions(ring, 12) as others:
                for session in others:
                    session.finish()
    finally:
        ring.start("controller")


def test_open_sessions_move_to_the_other_gateway_when_one_is_cut_off(ring: Lab) -> None:
    with sessions(ring, 12) as opened, down(ring, "s1-eth2"):
        time.sleep(0.5)
        for session in opened:
            session.finish()


@pytest.mark.parametrize("is_controlled", [True, False], ids=["controller running", "controller stopped"])
def test_a_dead_trunk_costs_less_than_fifty_milliseconds_of_packets(ring: Lab, is_controlled: bool) -> None:
    if not is_controlled:
        ring.stop("controller")
    try:
        # Of a few times, since the machine may be busy with the other half of the tests.
        assert any(_longest_gap(ring) < _LINK_LOSS_MS for _ in range(4))
    finally:
        if not is_controlled:
            ring.start("controller")


def _longest_gap(ring: Lab) -> float:
    """Pull a trunk's cable while datagrams cross it; return for how many milliseconds none arrived."""
    with ExitStack() as stack:
        passed = send_stream(ring, _STREAM, _DATAGRAMS, lambda: stack.enter_context(down(ring, "s4-eth11")))
    assert passed.arrived > _DATAGRAMS * 0.9
    return passed.longest_gap


def test_answers_may_come_back_through_another_gateway(ring: Lab, reader: Reader) -> None:
    """What the edge sends to acme goes in by either gateway; acme-mx answers by the second alone."""
    before = _packets_into_edge()
    with sessions(ring, 30) as opened:
        for session in opened:
            session.finish()
    grown = {port: count - before[port] for port, count in _packets_into_edge().items()}
    assert grown["s3-eth2"] > 100
    assert grown["s1-eth2"] < grown["s3-eth2"] / 2, "more than acme's clients ask the anti-virus servers"


def _packets_into_edge() -> dict[str, int]:
    """Return what each gateway of acme has sent to the edge so far, by switch port."""
    return {
        port: int(Path(f"/sys/class/net/{port}/statistics/rx_packets").read_text(encoding="utf-8"))
        for port in ("s1-eth2", "s3-eth2")
    }


def test_wrong_cabling_is_named_by_switch_and_port(ring: Lab, tmp_path: Path) -> None:
    text = Path(ring.scene().policy_file).read_text(encoding="utf-8")
    crossed = text.replace("{a: s1:11, b: s2:12}", "{a: s1:12, b: s2:12}")
    crossed = crossed.replace("{a: s4:11, b: s1:12}", "{a: s4:11, b: s1:11}")
    api = ApiClient(api_address(ring.places))
    try:
        accept_policy(api, "crossed.yaml", crossed)
        said = _await_troubles(api, 4)
        assert "s1:11 is cabled to s2:12, but the policy says s4:11" in said[0]
    finally:
        accept_policy(api, "ring.yaml", text)
        await_in_step(api)
        assert _await_troubles(api, 0) == []


def _await_troubles(api: ApiClient, number: int) -> list[str]:
    deadline = time.monotonic() + 60
    while len(said := api.get("/v1/status")["cabling"]) != number and time.monotonic() < deadline:
        time.sleep(0.2)
    return list(said)


@contextmanager
def unplanned_cable() -> Iterator[tuple[str, str]]:
    """A cable between two switches of which the policy knows nothing, beside the ring: a loop."""
    ends = {"stray1": "s1", "stray3": "s3"}
    _run("ip link add stray1 type veth peer name stray3")
    try:
        for end, switch in ends.items():
            _run(f"sysctl -qw net.ipv6.conf.{end}.disable_ipv6=1")
            _run(f"ip link set {end} arp off up")
            _run(f"ovs-vsctl --timeout=10 add-port {switch} {end}")
        yield "stray1", "stray3"
    finally:
        for end, switch in ends.items():
            _run(f"ovs-vsctl --timeout=10 --if-exists del-port {switch} {end}")
        _run("ip link del stray1")


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True)


def test_nothing_is_flooded_and_an_unplanned_cable_carries_nothing(ring: Lab) -> None:
    everybody = ("ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01", "01:00:5e:00:00:01", "02:99:99:99:99:99")
    with unplanned_cable() as ends:
        for host in ("bbr1", "acme-gw2", "proxy2"):
            own = ring.scene().network.host(host).ports[0].mac
            frames = [
                Segment(own, mac, "198.51.100.10", "203.0.113.10", 3000 + number).to_frame()
                for number, mac in enumerate(everybody)
            ]
            send_frames(ring.places.pin(host), f"{host}-eth0", frames)
        with sessions(ring, 3) as opened:
            for session in opened:
                session.finish()
        counts = [
            int(Path(f"/sys/class/net/{end}/statistics/tx_packets").read_text(encoding="utf-8"))
            for end in ends
        ]
    assert counts == [0, 0]


def test_mail_goes_on_when_a_whole_switch_is_cut_off(ring: Lab, reader: Reader) -> None:
    """With s2 go a proxy and a scanner; no agent needs to say so."""
    with down(ring, "s2-eth11", "s2-eth12"):
        await_ports(ring, 4)  # both ends of both cables
        for _ in range(2):
            with sessions(ring, 12) as opened:
                for session in opened:
                    session.finish()
        assert post(ring, reader, _CASES[0]) == []
