"""Ports and settings of a real switch that are changed by hand: named, and put back if that is safe."""

import time
from collections.abc import Iterator

import pytest

from cli.main import main
from common.exit_codes import ExitCode
from tests.ovs import test_bridges, test_controller
from tests.ovs.test_controller import Controller
from tests.ovs.test_drift import WITHIN_S, await_drift, await_ended, drift, lines

pytestmark = pytest.mark.ovs
controller = test_controller.controller  # the fixture


@pytest.fixture
def alone(controller: Controller) -> Iterator[Controller]:
    """A controller that does not watch Open vSwitch's database."""
    controller.stop()
    controller.start(POSTERN_SWITCH_DATABASE="off")
    controller.wait_for(1)
    await_drift(controller, lambda found: all(not each["unknown"] for each in found["switches"]))
    yield controller


def port(controller: Controller, number: int) -> str:
    return controller.ovs._port("s1", f"s1p{number}")


def test_a_port_that_neither_receives_nor_forwards_is_put_back_within_a_second(
    controller: Controller,
) -> None:
    began = time.monotonic()
    for setting in ("no-receive", "no-forward", "no-packet-in"):
        controller.ovs.ofctl("mod-port", "s1", "4", setting)
    row = await_ended(controller, "port 4 (s1p4) is set to no-")
    took = time.monotonic() - began
    assert (row["kind"], row["change"]) == ("port", "changed")
    assert row["rule"] == "pools.proxies.members.proxy1"
    assert row["place"]
    await_drift(controller, lambda found: found["open_count"] == 0)
    assert "NO_" not in port(controller, 4)
    assert took < WITHIN_S, took


def test_with_report_it_is_named_and_stays(
    controller: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    controller.edit("\ntenants:", "\ndrift: report\ntenants:")
    controller.hang_up()
    controller.wait_for(2)
    controller.ovs.ofctl("mod-port", "s1", "4", "no-receive")
    controller.ovs.ofctl("set-frags", "s1", "nx-match")
    await_drift(controller, lambda found: found["open_count"] == 2)
    assert controller.status()["state"] == "waiting"
    api = ["--api", controller.api.address]
    assert main(["drift", *api]) == ExitCode.FAILED
    out = capsys.readouterr().out
    assert "remedy: ovs-ofctl -O OpenFlow14 mod-port s1 4 receive\n" in out
    assert "remedy: ovs-ofctl -O OpenFlow14 set-frags s1 normal\n" in out
    assert "NO_RECV" in port(controller, 4)
    controller.hang_up()
    await_drift(controller, lambda found: found["open_count"] == 0)
    assert "NO_RECV" not in port(controller, 4)


def test_a_port_that_was_taken_down_is_named_and_stays_down(controller: Controller) -> None:
    began = time.monotonic()
    controller.ovs.ofctl("mod-port", "s1", "4", "down")
    found = await_drift(controller, lambda found: found["open_count"] == 1)
    took = time.monotonic() - began
    (row,) = found["open"]
    assert row["text"] == "port 4 (s1p4) was taken down by a command"
    assert row["rule"] == "pools.proxies.members.proxy1"
    assert main(["status", "--api", controller.api.address]) == ExitCode.FAILED
    assert "PORT_DOWN" in port(controller, 4)
    controller.ovs.ofctl("mod-port", "s1", "4", "up")  # what the remedy says
    await_drift(controller, lambda found: found["open_count"] == 0)
    assert took < WITHIN_S, took


@pytest.mark.parametrize("mode", ["drop", "nx-match"])
def test_fragments_are_normal_again(controller: Controller, mode: str) -> None:
    began = time.monotonic()
    controller.ovs.ofctl("set-frags", "s1", mode)
    row = await_ended(controller, f"fragments are {mode}")
    took = time.monotonic() - began
    assert (row["kind"], row["change"], row["wanted"]) == ("setting", "changed", "normal")
    assert controller.ovs.ofctl("get-frags", "s1").strip() == "normal"
    assert [line["difference"] for line in lines(controller, "DriftFound")] == [
        f"changed setting: fragments are {mode}, instead of normal"
    ]
    assert took < 2 * WITHIN_S, took


@pytest.mark.parametrize("what", ["evict", "vacancy:20,80"])
def test_tables_keep_their_flows_again(controller: Controller, what: str) -> None:
    controller.ovs.ofctl("mod-table", "s1", "all", what)
    await_ended(controller, f": {what.partition(':')[0]}")
    found = controller.ovs.ofctl("dump-table-desc", "s1")
    assert "=on" not in found


def test_without_the_database_ports_are_watched_over_openflow(alone: Controller) -> None:
    before = drift(alone)
    assert (before["open_count"], before["ended"]) == (0, [])
    spy = ("set", "interface", "spy", "type=dummy", "ofport_request=77")
    began = time.monotonic()
    alone.ovs.vsctl("add-port", "s1", "spy", "--", *spy)
    found = await_drift(alone, lambda found: found["open_count"] == 1)
    took = time.monotonic() - began
    assert found["open"][0]["text"] == "interface spy is port 77, which the policy does not use"
    alone.ovs.vsctl("del-port", "s1p5")
    found = await_drift(alone, lambda found: found["open_count"] == 2)
    assert found["open"][1]["wanted"] == "interface s1p5 as port 5, for proxy2"
    remedy = "ovs-vsctl add-port s1 s1p5 -- set Interface s1p5 ofport_request=5"
    assert found["open"][1]["remedy"] == remedy
    alone.ovs.vsctl(*remedy.split()[1:], "type=dummy")
    alone.ovs.vsctl("del-port", "s1", "spy")
    await_drift(alone, lambda found: found["open_count"] == 0)
    assert took < WITHIN_S, took


def test_a_device_that_cannot_be_opened_is_a_missing_port(alone: Controller) -> None:
    alone.ovs.vsctl("set", "Interface", "s1p4", "type=nonsense")
    found = await_drift(alone, lambda found: found["open_count"] == 1)
    (row,) = found["open"]
    assert (row["change"], row["rule"]) == ("missing", "pools.proxies.members.proxy1")


def test_what_openflow_and_the_database_both_report_has_one_line(controller: Controller) -> None:
    test_bridges.eventually(lambda: test_bridges.is_remembered(controller), controller)
    controller.ovs.vsctl("del-port", "s1", "s1p4")
    await_drift(controller, lambda found: found["open_count"] > 0)
    time.sleep(1.2)  # both have reported by then, and a turn has passed
    (row,) = drift(controller)["open"]
    assert row["wanted"].startswith("interface s1p4 (dummy) as port 4")
    assert [line["count"] for line in lines(controller, "DriftFound")] == [1]
    controller.ovs.vsctl(
        "add-port", "s1", "s1p4", "--", "set", "Interface", "s1p4", "type=dummy", "ofport_request=4"
    )
    found = await_drift(controller, lambda found: found["open_count"] == 0)
    assert len(found["ended"]) == 1
