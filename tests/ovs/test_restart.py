"""A controller that restarts beside a real switch that holds everything: it sends nothing."""

import os
import signal
import time
from typing import Any

import pytest

from tests.ovs.dummy import DummyOvs
from tests.ovs.test_controller import Controller, controller

__all__ = ["controller"]  # a fixture
pytestmark = pytest.mark.ovs


_CHANGES = ("OFPT_BUNDLE", "ONFT_BUNDLE", "OFPT_FLOW_MOD", "OFPT_GROUP_MOD", "OFPT_METER_MOD")


class Ear:
    """Listens to what the switch receives, by its own log."""

    def __init__(self, ovs: DummyOvs) -> None:
        self._log = ovs.directory / "ovs.log"
        ovs.appctl("vlog/disable-rate-limit", "vconn")
        ovs.appctl("vlog/set", "vconn:file:dbg")
        self._from = self._log.stat().st_size

    def heard(self) -> list[str]:
        """Return the kinds of messages that it has received since."""
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._from)
            lines = [line for line in log if ": received: " in line]
        return [line.partition(": received: ")[2].split()[0] for line in lines]

    def changes(self) -> list[str]:
        heard = self.heard()
        assert "OFPST_FLOW" in heard, "it was not even read"
        return [kind for kind in heard if kind.startswith(_CHANGES)]


def member(controller: Controller, name: str) -> dict[str, Any]:
    rows = controller.api.get("/v1/pools")
    return next(each for pool in rows for each in pool["members"] if each["name"] == name)


def await_without(controller: Controller, mac: str) -> None:
    """Wait until no group of the switch leads to a member."""
    deadline = time.monotonic() + 20
    while mac in controller.ovs.ofctl("dump-groups", "s1"):
        assert time.monotonic() < deadline, f"{mac} is still in a group"
        time.sleep(0.05)


def await_state(controller: Controller, name: str, state: str) -> None:
    controller.wait(lambda _: member(controller, name)["state"] == state)
    controller.await_in_step()


def report(controller: Controller, name: str, *, good: bool) -> None:
    controller.api.post(f"/v1/members/{name}/health", {"format": 1, "good": good, "detail": "refused"})


def restart(controller: Controller) -> tuple[list[str], int]:
    """Kill the controller and start it; return what changed the switch, and the flows sent."""
    controller.await_in_step()
    ear = Ear(controller.ovs)
    controller.stop(signal.SIGKILL)
    controller.start()
    (row,) = controller.wait_for(1)["switches"]
    time_to_think(controller)
    return ear.changes(), row["flows_sent"]


def time_to_think(controller: Controller) -> None:
    """Return after the controller has looked at the time twice: a second plan would be on its way by then."""
    begun = time.monotonic()
    controller.wait(lambda _: time.monotonic() - begun > 1.5)
    controller.await_in_step()


def test_it_is_heard_when_something_is_sent(controller: Controller) -> None:
    ear = Ear(controller.ovs)
    controller.api.post("/v1/members/proxy1", {"drained": True})
    controller.await_in_step()
    controller.ovs.ofctl("dump-flows", "s1")
    assert ear.changes() != []


def test_with_a_drained_member_the_switch_is_told_nothing(controller: Controller) -> None:
    controller.api.post("/v1/members/proxy1", {"drained": True})
    await_state(controller, "proxy1", "empty")
    assert restart(controller) == ([], 0)
    assert member(controller, "proxy1")["state"] == "empty"


def test_with_a_member_that_its_agent_called_down_the_switch_is_told_nothing(controller: Controller) -> None:
    for _ in range(2):
        report(controller, "proxy1", good=False)
    await_state(controller, "proxy1", "down")
    groups = controller.ovs.ofctl("dump-groups", "s1")
    assert "02:cc:00:00:00:01" not in groups
    assert restart(controller) == ([], 0)
    assert member(controller, "proxy1")["state"] == "down"
    assert controller.ovs.ofctl("dump-groups", "s1") == groups


def test_with_a_port_that_is_down_the_switch_is_told_nothing(controller: Controller) -> None:
    controller.ovs.set_port("s1p4", "down")
    await_state(controller, "proxy1", "down")
    assert restart(controller) == ([], 0)
    assert member(controller, "proxy1")["state"] == "down"


def test_all_at_once_with_a_whole_pool_down(controller: Controller) -> None:
    controller.api.post("/v1/members/scanner1", {"drained": True})
    controller.ovs.set_port("s1p4", "down")
    for _ in range(2):
        report(controller, "proxy2", good=False)
    await_state(controller, "proxy1", "down")
    await_state(controller, "proxy2", "down")
    await_without(controller, "02:cc:00:00:00:02")  # the state of the empty pool is proved before it is sent
    assert restart(controller) == ([], 0)


def test_a_port_that_went_down_while_no_controller_ran_is_known_to_the_first_plan(
    controller: Controller,
) -> None:
    controller.await_in_step()
    controller.stop(signal.SIGKILL)
    controller.ovs.set_port("s1p4", "down")
    controller.start()
    controller.wait_for(1)
    await_state(controller, "proxy1", "down")
    plans = [line for line in controller.log.read_text(encoding="utf-8").splitlines() if "PlanSent" in line]
    assert "groups: 0 new, 1 changed" in plans[-1]
    assert sum('"PlanSent"' in line for line in plans) == 2, (
        "the first controller's plan, and one of this one"
    )


def test_a_switch_whose_process_hangs_is_not_called_connected_for_ever(controller: Controller) -> None:
    pid = int((controller.ovs.directory / "vswitchd.pid").read_text(encoding="utf-8"))
    os.kill(pid, signal.SIGSTOP)
    try:
        (row,) = controller.wait(lambda status: not status["switches"][0]["connected"])["switches"]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert row["confirmed_revision"] == 0
    controller.wait_for(1)
