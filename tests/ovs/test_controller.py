"""The controller under `ryu-manager`, with a real switch: edits, bad edits, restarts."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.api.client import ApiClient, ApiError
from controller.pools.conntrack import Counts, count_sessions, read_connections, without_ended
from tests.mail.conftest import free_port
from tests.ovs.dummy import DummyOvs
from tests.ovs.packets import ACK, FIN, RST, SYN, tcp_frame
from tests.policies import accept_policy

pytestmark = pytest.mark.ovs

POLICIES = Path(__file__).parents[2] / "policies"
EDGE = Path(__file__).parents[2] / "apps" / "edge.py"


class Controller:
    """One controller and its switch `s1`; `policy` is a file of its own."""

    def __init__(self, ovs: DummyOvs) -> None:
        self.ovs = ovs
        here = ovs.directory
        self.policy = here / "policy.yaml"
        shutil.copy(POLICIES / "demo.yaml", self.policy)
        self.log = here / "controller.log"
        self.api = ApiClient(f"unix:{here}/api.sock")
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **settings: str) -> None:
        here = self.ovs.directory
        environment = {
            **os.environ,
            "POSTERN_POLICY": str(self.policy),
            "POSTERN_STATE_DIR": f"{here}/state",
            "POSTERN_API": self.api.address,
            "POSTERN_LISTEN": "off",
            "POSTERN_SWITCH_CONTROL": f"{here}/vswitchd.ctl",
            "POSTERN_SWITCH_DATABASE": f"{here}/db.sock",
            **settings,
        }
        command = [str(Path(sys.executable).parent / "ryu-manager"), "--ofp-listen-host", "127.0.0.1"]
        command += ["--ofp-tcp-listen-port", str(self.port), str(EDGE)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=here)

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(10)
            self._process = None

    def hang_up(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def edit(self, old: str, new: str) -> None:
        """Replace the policy file as an editor does."""
        text = self.policy.read_text(encoding="utf-8")
        assert old in text
        draft = self.policy.with_suffix(".draft")
        draft.write_text(text.replace(old, new), encoding="utf-8")
        draft.replace(self.policy)

    def status(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self.api.get("/v1/status")
        except ApiError:
            return {"state": "not there", "switches": []}
        return found

    def wait(self, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while not is_so(status := self.status()):
            assert time.monotonic() < deadline, f"{status}\n{self.log.read_text(encoding='utf-8')[-3000:]}"
            time.sleep(0.05)
        return status

    def wait_for(self, revision: int) -> dict[str, Any]:
        return self.wait(
            lambda status: (
                status["state"] == "confirmed"
                and [row["confirmed_revision"] for row in status["switches"]] == [revision]
            )
        )

    def await_in_step(self) -> None:
        """Return when the switch does what it was told, caches included; a revision does not say so."""
        self.wait(lambda status: [row["phase"] for row in status["switches"]] == ["in step"])
        self.ovs.empty_caches()

    def flows(self) -> str:
        """Return what the switch itself says, without counters."""
        return re.sub(r"(duration|n_packets|n_bytes)=[^,]+, ", "", self.ovs.ofctl("dump-flows", "s1"))


@pytest.fixture
def controller(ovs: DummyOvs) -> Iterator[Controller]:
    ovs.add_bridge("s1", 1, ports=11)
    running = Controller(ovs)
    ovs.vsctl("set-controller", "s1", f"tcp:127.0.0.1:{running.port}")
    ovs.vsctl("set", "controller", "s1", "inactivity_probe=1000", "max_backoff=1000")
    running.start()
    try:
        running.wait_for(1)
        yield running
    finally:
        running.stop()


def test_a_hangup_takes_the_edited_file_up(controller: Controller) -> None:
    controller.edit("servers: [203.0.113.74", "servers: [203.0.113.75")
    assert controller.status()["revision"] == 1
    controller.hang_up()
    controller.wait_for(2)
    assert "nw_dst=203.0.113.75" in controller.flows()
    assert "nw_dst=203.0.113.74" not in controller.flows()


def test_a_bad_file_changes_nothing_and_the_journal_says_why(controller: Controller) -> None:
    before = controller.flows()
    controller.edit("mode: direct", "mode: dirct")
    controller.hang_up()
    deadline = time.monotonic() + 60
    while "did you mean direct?" not in controller.log.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert controller.status()["revision"] == 1
    assert controller.flows() == before


def test_a_watched_file_is_taken_up_by_itself(controller: Controller) -> None:
    controller.stop()
    controller.start(POSTERN_WATCH="1")
    controller.wait_for(1)
    controller.edit("servers: [203.0.113.74", "servers: [203.0.113.75")
    controller.wait_for(2)
    assert "nw_dst=203.0.113.75" in controller.flows()


def test_a_policy_that_is_applied_is_kept_across_a_crash(controller: Controller) -> None:
    text = (
        (POLICIES / "demo.yaml")
        .read_text(encoding="utf-8")
        .replace("servers: [203.0.113.74", "servers: [203.0.113.75")
    )
    accept_policy(controller.api, "mine.yaml", text)
    controller.wait_for(2)
    assert f'"by": "uid {os.getuid()} (operator)"' in controller.log.read_text(encoding="utf-8")
    after = controller.flows()
    controller.stop(signal.SIGKILL)
    assert controller.flows() == after


def test_a_restarted_controller_sends_nothing_that_is_there(controller: Controller) -> None:
    controller.stop(signal.SIGKILL)
    controller.start()
    (row,) = controller.wait_for(1)["switches"]
    assert row["flows_sent"] == 0
    assert row["flows"] > 100


def test_a_flow_that_somebody_deleted_comes_back_when_the_switch_reconnects(controller: Controller) -> None:
    before = sorted(controller.flows().splitlines())
    controller.stop()
    controller.ovs.ofctl("del-flows", "s1", "table=4")
    controller.start()
    (row,) = controller.wait_for(1)["switches"]
    assert 0 < row["flows_sent"] < 120
    assert sorted(controller.flows().splitlines()) == before


def test_a_flow_of_somebody_else_could_be_a_way_past_the_scanners_and_is_removed(
    controller: Controller,
) -> None:
    before = sorted(controller.flows().splitlines())
    controller.stop()
    controller.ovs.ofctl("add-flow", "s1", "cookie=0x1234,table=0,priority=65000,actions=NORMAL")
    controller.start()
    controller.wait_for(1)
    assert sorted(controller.flows().splitlines()) == before


def test_a_switch_that_lost_everything_is_filled_again(controller: Controller) -> None:
    before = sorted(controller.flows().splitlines())
    controller.ovs.stop_switches()
    controller.wait(lambda status: not any(row["connected"] for row in status["switches"]))
    controller.ovs.start_switches()
    controller.wait_for(1)
    assert sorted(controller.flows().splitlines()) == before


def test_a_switch_that_the_policy_does_not_know_is_named_and_left_alone(controller: Controller) -> None:
    controller.ovs.add_bridge("other", 77, ports=1)
    controller.ovs.vsctl("set-controller", "other", f"tcp:127.0.0.1:{controller.port}")
    status = controller.wait(lambda status: bool(status.get("unknown_switches")))
    assert status["unknown_switches"] == [f"{77:016x}"]
    assert "cookie=0x9057" not in controller.ovs.ofctl("dump-flows", "other")


def test_a_missing_port_is_reported_by_name(controller: Controller) -> None:
    controller.ovs.vsctl("del-port", "s1", "s1p4")
    status = controller.wait(lambda status: any(row["problems"] for row in status["switches"]))
    (row,) = status["switches"]
    assert any("proxy1" in problem and "4" in problem for problem in row["problems"])


_CLIENT, _SERVER, _EDGE = "198.51.100.10", ("203.0.113.10", 25), "02:50:00:00:00:01"
_PORT_BY_MEMBER = {"02:cc:00:00:00:01": "s1p4", "02:cc:00:00:00:02": "s1p5"}


def _begin_sessions(controller: Controller, source_ports: Iterable[int]) -> None:
    """Complete a handshake from each source port, with the member that the switch chose."""
    for port in _half_open(controller, source_ports):
        _send_from_client(controller, port, ACK)


def _half_open(controller: Controller, source_ports: Iterable[int]) -> list[int]:
    """Send SYNs from the backbone, and from members the answers; return the source ports that got one."""
    for port in source_ports:
        _send_from_client(controller, port, SYN)
    answered = []
    for each in read_connections(_connections(controller)):
        member = each.responder.to_bytes(6).hex(":")
        if not each.is_answered and member in _PORT_BY_MEMBER:
            frame = tcp_frame((member, _EDGE), _SERVER, (_CLIENT, each.source_port), SYN | ACK)
            controller.ovs.appctl("netdev-dummy/receive", _PORT_BY_MEMBER[member], frame.hex())
            answered.append(each.source_port)
    return answered


def _send_from_client(controller: Controller, port: int, flags: int) -> None:
    frame = tcp_frame(("02:bb:00:00:00:01", _EDGE), (_CLIENT, port), _SERVER, flags)
    controller.ovs.appctl("netdev-dummy/receive", "s1p1", frame.hex())


def _connections(controller: Controller) -> list[str]:
    return controller.ovs.appctl("dpctl/dump-conntrack", "-m").splitlines()


def _members(controller: Controller) -> dict[str, dict[str, Any]]:
    rows = controller.api.get("/v1/pools")
    return {member["name"]: member for pool in rows for member in pool["members"]}


def _sessions(controller: Controller) -> tuple[int, int]:
    members = _members(controller)
    return members["proxy1"]["sessions"], members["proxy2"]["sessions"]


def test_a_drained_member_keeps_its_sessions_and_gets_no_new_ones(controller: Controller) -> None:
    _begin_sessions(controller, range(40_000, 40_030))
    first, second = _sessions(controller)
    assert first + second == 30 and first and second
    assert controller.api.post("/v1/members/proxy1", {"drained": True})["state"] == "draining"
    controller.await_in_step()
    _begin_sessions(controller, range(41_000, 41_020))
    assert _sessions(controller) == (first, second + 20)


def test_half_open_connections_do_not_fill_a_member_but_it_is_not_empty_before_they_end(
    controller: Controller,
) -> None:
    """A stranger sends SYNs in other people's names; the answers go there, and nothing comes back."""
    controller.edit("proxy1: {at: s1:4,", "proxy1: {limit: 1, at: s1:4,")
    controller.hang_up()
    controller.wait_for(2)
    assert len(_half_open(controller, range(40_000, 40_030))) == 30
    assert _sessions(controller) == (0, 0)
    controller.api.post("/v1/members/proxy2", {"drained": True})
    assert _members(controller)["proxy2"]["state"] == "draining"
    controller.await_in_step()
    _begin_sessions(controller, [41_000])
    assert _sessions(controller) == (1, 0)


def test_what_has_ended_is_neither_counted_nor_kept_in_mind(controller: Controller) -> None:
    """As it really ends: each end sends a FIN, or one a reset."""
    _begin_sessions(controller, [40_000, 41_000])
    by_port = {each.source_port: each for each in read_connections(_connections(controller))}
    for port, last in ((40_000, FIN | ACK), (41_000, RST | ACK)):
        member = by_port[port].responder.to_bytes(6).hex(":")
        _send_from_client(controller, port, last)
        frame = tcp_frame((member, _EDGE), _SERVER, (_CLIENT, port), FIN | ACK, sequence=1)
        controller.ovs.appctl("netdev-dummy/receive", _PORT_BY_MEMBER[member], frame.hex())
        _send_from_client(controller, port, ACK)
    lines = _connections(controller)
    assert len(lines) == 2 and without_ended(lines) == [], lines
    assert count_sessions(lines) == Counts({})


def test_a_drained_member_without_sessions_is_empty(controller: Controller) -> None:
    controller.api.post("/v1/members/proxies.proxy2", {"drained": True})
    assert _members(controller)["proxy2"]["state"] == "empty"


def test_a_drained_member_stays_drained_when_the_controller_crashes(controller: Controller) -> None:
    controller.api.post("/v1/members/proxy1", {"drained": True})
    controller.wait_for(1)
    controller.stop(signal.SIGKILL)
    controller.start()
    controller.wait_for(1)
    assert _members(controller)["proxy1"]["state"] == "empty"
    assert "02:cc:00:00:00:01" not in controller.ovs.ofctl("dump-groups", "s1")


def test_a_member_that_is_resumed_takes_new_sessions_again_few_at_first(controller: Controller) -> None:
    controller.edit("health: agent", "health: {slow_start: 4s}")
    controller.hang_up()
    controller.wait_for(2)
    before = controller.ovs.ofctl("dump-groups", "s1").split("\n")[1:]
    controller.api.post("/v1/members/proxy1", {"drained": True})
    controller.wait_for(2)
    controller.api.post("/v1/members/proxy1", {"drained": False})
    controller.wait_for(2)
    assert _members(controller)["proxy1"]["state"] == "up"
    assert _members(controller)["proxy1"]["share_percent"] < 50
    controller.wait(lambda _: controller.ovs.ofctl("dump-groups", "s1").split("\n")[1:] == before)
    assert _members(controller)["proxy1"]["share_percent"] == 50


def test_a_member_at_its_limit_is_found_out_and_gets_no_new_sessions(controller: Controller) -> None:
    controller.edit("proxy1: {at: s1:4,", "proxy1: {limit: 5, at: s1:4,")
    controller.hang_up()
    controller.wait_for(2)
    _begin_sessions(controller, range(40_000, 40_030))
    deadline = time.monotonic() + 60  # nobody asks: the controller counts by itself
    while '"state": "full"' not in controller.log.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    controller.await_in_step()
    first, second = _sessions(controller)
    assert first >= 5
    _begin_sessions(controller, range(41_000, 41_020))
    assert _sessions(controller) == (first, second + 20)


def test_a_member_that_nobody_knows_is_refused_with_the_names_of_those_there_are(
    controller: Controller,
) -> None:
    with pytest.raises(ApiError, match=r"no pool has a member proxy9; remedy: use one of .*proxies\.proxy1"):
        controller.api.post("/v1/members/proxy9", {"drained": True})


def test_a_member_whose_port_goes_down_is_down_and_one_that_comes_back_is_up(controller: Controller) -> None:
    controller.ovs.appctl("netdev-dummy/set-admin-state", "s1p4", "down")
    controller.wait(lambda _: _members(controller)["proxy1"]["state"] == "down")
    controller.ovs.appctl("netdev-dummy/set-admin-state", "s1p4", "up")
    controller.wait(lambda _: _members(controller)["proxy1"]["state"] == "up")


def test_with_the_controller_stopped_a_member_whose_port_is_down_gets_no_new_sessions(
    controller: Controller,
) -> None:
    controller.stop()
    controller.ovs.set_port("s1p4", "down")
    _begin_sessions(controller, range(42_000, 42_020))
    assert count_sessions(_connections(controller)).sessions == {"02:cc:00:00:00:02": 20}


_BACKBONE_TO_EDGE = ("02:bb:00:00:00:01", "02:50:00:00:00:01")
ATTACKER = {"value": "198.51.100.66", "action": "decoy", "duration_s": 600}


def knock(controller: Controller, source: str, server: str, port: int) -> None:
    """Send a SYN from the backbone."""
    frame = tcp_frame(_BACKBONE_TO_EDGE, (source, 40_000), (server, port), SYN)
    controller.ovs.appctl("netdev-dummy/receive", "s1p1", frame.hex())


def explained(controller: Controller, source: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while not is_so(known := controller.api.get(f"/v1/sources/{source}")):
        assert time.monotonic() < deadline, known
        time.sleep(0.05)
    found: dict[str, Any] = known
    return found


def test_a_deleted_decision_leaves_the_switch_at_once_and_its_receipt_counts_the_packets(
    controller: Controller,
) -> None:
    (made,) = controller.api.post("/v1/decisions", {"decisions": [ATTACKER]})["accepted"]
    for _ in range(3):
        knock(controller, "198.51.100.66", "203.0.113.10", 25)
    answer = controller.api.delete(f"/v1/decisions/{made['id']}")
    assert answer["is_confirmed"]
    (row,) = answer["receipts"][0]["receipt"]["switches"]
    assert row["confirmed"]
    assert row["packets"] >= 1  # the others may have followed the connection's label
    assert "cookie=0x9058" not in controller.flows()


def test_decisions_outlive_a_controller_that_is_killed(controller: Controller) -> None:
    controller.api.post("/v1/decisions", {"decisions": [ATTACKER, {**ATTACKER, "value": "198.51.100.67"}]})
    before = controller.flows()
    controller.stop(signal.SIGKILL)
    assert controller.flows() == before
    controller.start()
    controller.wait_for(1)
    assert controller.api.get("/v1/decisions")["count"] == 2
    assert controller.flows() == before
    assert controller.status()["switches"][0]["flows_sent"] == 0


def test_a_decision_that_ended_while_the_controller_was_away_is_taken_off_the_switch(
    controller: Controller,
) -> None:
    controller.api.post("/v1/decisions", {"decisions": [{**ATTACKER, "duration_s": 1}, ATTACKER]})
    controller.api.post(
        "/v1/decisions", {"decisions": [{"value": "9.9.9.9", "action": "drop", "duration_s": 1}]}
    )
    controller.stop(signal.SIGKILL)
    time.sleep(1.1)
    controller.start()
    controller.wait_for(1)
    deadline = time.monotonic() + 60
    while "nw_src=9.9.9.9" in controller.flows():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "nw_src=198.51.100.66" in controller.flows()


def test_who_knocks_where_nothing_is_published_is_noted_but_nothing_is_decided(
    controller: Controller,
) -> None:
    """Whoever he is: a lone SYN proves nobody's address."""
    for port in range(1_000, 1_040):
        knock(controller, "198.51.100.66", "203.0.113.50", port)
    known = explained(controller, "198.51.100.66", lambda known: known["unproven"] >= 10)
    assert known["score"] == 0
    assert {fact["kind"] for fact in known["evidence"]} <= {"dark-packet", "scan"}
    assert known["decisions"] == []
    assert "cookie=0x9058" not in controller.flows()


def test_a_policy_that_takes_a_source_in_as_a_tenant_withdraws_what_was_decided_about_it(
    controller: Controller,
) -> None:
    controller.api.post("/v1/decisions", {"decisions": [{**ATTACKER, "value": "203.0.113.130"}]})
    controller.edit("prefixes: [203.0.113.64/26,", "prefixes: [203.0.113.64/26, 203.0.113.128/26,")
    controller.hang_up()
    controller.wait_for(2)
    assert controller.api.get("/v1/decisions")["count"] == 0
    assert "cookie=0x9058" not in controller.flows()
