"""Bridges that somebody changes by hand, where OpenFlow does not show it: named, and repaired."""

import signal
import sqlite3
import time
from collections.abc import Callable
from typing import Any

import pytest

from cli.main import main
from tests.mail.conftest import free_port
from tests.ovs.test_controller import Controller, controller
from tests.ovs.test_drift import WITHIN_S, await_ended

__all__ = ["controller"]  # a fixture
pytestmark = pytest.mark.ovs

NOBODY = "tcp:127.0.0.1:1"


@pytest.fixture
def edge(controller: Controller) -> Controller:
    """A controller that knows its bridge."""
    eventually(lambda: is_remembered(controller), controller)
    return controller


def is_remembered(edge: Controller) -> bool:
    path = edge.ovs.directory / "state" / "postern.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as store:
        return bool(store.execute("SELECT facts FROM bridges").fetchall())


def eventually(is_so: Callable[[], object], edge: Controller) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, edge.log.read_text(encoding="utf-8")[-3000:]
        time.sleep(0.02)


def journal(edge: Controller) -> str:
    return edge.log.read_text(encoding="utf-8")


def problems(edge: Controller) -> str:
    """Return all differences with their remedies, and what makes status red."""
    drift = edge.api.get("/v1/drift")["open"]
    rows = ["{switch}: {change} {kind}: {text} ({wanted}); remedy: {remedy}".format(**row) for row in drift]
    return "\n".join(rows + [problem for row in edge.status()["switches"] for problem in row["problems"]])


def targets(edge: Controller, bridge: str = "s1") -> list[str]:
    return edge.ovs.vsctl("get-controller", bridge).split()


def own(edge: Controller) -> str:
    return f"tcp:127.0.0.1:{edge.port}"


def flows(edge: Controller) -> list[str]:
    return sorted(edge.flows().splitlines())


def await_repair(edge: Controller, before: list[str]) -> None:
    eventually(lambda: targets(edge) == [own(edge)], edge)
    edge.wait_for(1)
    edge.await_in_step()
    eventually(lambda: flows(edge) == before, edge)
    eventually(lambda: problems(edge) == "", edge)


def await_quick_repair(edge: Controller, change: Callable[[], object], text: str) -> dict[str, Any]:
    """Change a bridge by hand; return the difference, once it was found and repaired in time."""
    began = time.time()
    change()
    row = await_ended(edge, text)
    found_after, repaired_after = row["first_seen"] - began, row["ended_at"] - began
    assert found_after < WITHIN_S, found_after
    assert repaired_after < 2 * WITHIN_S, repaired_after  # a process is started for it, on a busy machine
    return row


def test_a_bridge_whose_controller_was_deleted_gets_it_back_with_its_flows(edge: Controller) -> None:
    before = flows(edge)
    await_quick_repair(edge, lambda: edge.ovs.vsctl("del-controller", "s1"), own(edge))
    await_repair(edge, before)
    assert "max_backoff         : 1000" in edge.ovs.vsctl("list", "Controller")


def test_a_bridge_that_was_given_to_another_controller_comes_back(edge: Controller) -> None:
    before = flows(edge)
    await_quick_repair(edge, lambda: edge.ovs.vsctl("set-controller", "s1", NOBODY), NOBODY)
    await_repair(edge, before)


def test_a_second_controller_is_removed_and_the_session_goes_on(edge: Controller) -> None:
    edge.ovs.vsctl("set-controller", "s1", own(edge), NOBODY)
    eventually(lambda: targets(edge) == [own(edge)], edge)
    eventually(lambda: problems(edge) == "", edge)
    assert journal(edge).count('"SwitchConnected"') == 1


def test_a_bridge_that_forwards_by_itself_without_a_controller_is_made_secure_again(edge: Controller) -> None:
    before = flows(edge)
    await_quick_repair(edge, lambda: edge.ovs.vsctl("set-fail-mode", "s1", "standalone"), "standalone")
    assert edge.ovs.vsctl("get-fail-mode", "s1").strip() == "secure"
    await_repair(edge, before)


def test_a_mirror_that_copies_mail_is_removed(edge: Controller) -> None:
    await_quick_repair(edge, lambda: mirror(edge, "s1", "s1p11"), "copy")
    eventually(lambda: "name" not in edge.ovs.vsctl("list", "Mirror"), edge)
    eventually(lambda: problems(edge) == "", edge)


def mirror(edge: Controller, bridge: str, port: str) -> None:
    make = ("--", "--id=@m", "create", "Mirror", "name=copy", "select-all=true", "output-port=@p")
    edge.ovs.vsctl("--", "--id=@p", "get", "Port", port, *make, "--", "set", "Bridge", bridge, "mirrors=@m")


def test_a_bridge_that_speaks_another_openflow_comes_back(edge: Controller) -> None:
    before = flows(edge)
    edge.ovs.vsctl("set", "Bridge", "s1", "protocols=OpenFlow10")
    eventually(lambda: "OpenFlow14" in edge.ovs.vsctl("get", "Bridge", "s1", "protocols"), edge)
    await_repair(edge, before)


def test_a_bridge_with_another_datapath_id_gets_its_own_back(edge: Controller) -> None:
    before = flows(edge)
    edge.ovs.vsctl("set", "Bridge", "s1", "other-config:datapath-id=00000000000000ff")
    eventually(lambda: "0000000000000001" in edge.ovs.vsctl("get", "Bridge", "s1", "datapath_id"), edge)
    await_repair(edge, before)


def test_a_port_that_the_policy_does_not_use_is_named_until_it_is_gone(edge: Controller) -> None:
    edge.ovs.vsctl(
        "add-port", "s1", "spy", "--", "set", "interface", "spy", "type=dummy", "ofport_request=77"
    )
    eventually(lambda: "interface spy (dummy) is port 77" in problems(edge), edge)
    assert main(["status", "--api", edge.api.address]) == 1
    edge.ovs.vsctl("del-port", "s1", "spy")
    eventually(lambda: problems(edge) == "", edge)
    assert main(["status", "--api", edge.api.address]) == 0


def test_a_port_that_was_removed_is_named_with_the_command_that_brings_it_back(edge: Controller) -> None:
    edge.ovs.vsctl("del-port", "s1", "s1p4")
    remedy = "ovs-vsctl add-port s1 s1p4 -- set Interface s1p4 ofport_request=4"
    eventually(lambda: remedy in problems(edge), edge)
    edge.ovs.vsctl(*remedy.split()[1:], "type=dummy")
    eventually(lambda: problems(edge) == "", edge)


def test_two_ports_that_have_changed_places_are_named(edge: Controller) -> None:
    edge.ovs.vsctl("del-port", "s1p4", "--", "del-port", "s1p5")
    for name, number in (("s1p5", 4), ("s1p4", 5)):
        request = ("set", "Interface", name, "type=dummy", f"ofport_request={number}")
        edge.ovs.vsctl("add-port", "s1", name, "--", *request)
    eventually(lambda: "interface s1p4 (dummy) is port 5" in problems(edge), edge)
    eventually(lambda: "interface s1p5 (dummy) is port 4" in problems(edge), edge)


def test_a_device_that_an_operator_has_replaced_is_named_until_he_accepts_it(edge: Controller) -> None:
    request = ("set", "Interface", "new4", "type=dummy", "ofport_request=4")
    edge.ovs.vsctl("del-port", "s1p4", "--", "add-port", "s1", "new4", "--", *request)
    eventually(lambda: "port 4 is interface new4 (dummy)" in problems(edge), edge)
    edge.api.post("/v1/switches/s1", {"accepted": True})
    assert problems(edge) == ""
    edge.stop()
    edge.start()
    edge.wait_for(1)
    assert problems(edge) == ""


def test_a_bridge_created_again_under_its_name_is_taken_back_and_its_missing_ports_are_named(
    edge: Controller,
) -> None:
    create_again(edge, 1)
    eventually(lambda: targets(edge) == [own(edge)], edge)
    eventually(lambda: "set Interface s1p11 ofport_request=11" in problems(edge), edge)
    edge.await_in_step()
    assert edge.ovs.vsctl("get-fail-mode", "s1").strip() == "secure"
    assert "cookie=0x9057" in edge.flows()


def create_again(edge: Controller, number: int) -> None:
    create = ("add-br", "s1", "--", "set", "Bridge", "s1", "datapath_type=dummy", dpid(number))
    edge.ovs.vsctl("del-br", "s1", "--", *create)


def dpid(number: int) -> str:
    return f"other-config:datapath-id={number:016x}"


def test_a_bridge_created_again_with_another_datapath_id_is_named_and_not_touched(edge: Controller) -> None:
    create_again(edge, 0xAB)
    eventually(lambda: "was created again, with datapath id 00000000000000ab" in problems(edge), edge)
    edge.ovs.vsctl("set-fail-mode", "s1", "standalone")
    edge.ovs.vsctl("set", "Bridge", "s1", "external_ids:last=yes")
    assert targets(edge) == []
    edge.ovs.vsctl("set", "Bridge", "s1", dpid(1))
    eventually(lambda: targets(edge) == [own(edge)], edge)


def test_a_bridge_that_was_deleted_is_missing(edge: Controller) -> None:
    edge.ovs.vsctl("del-br", "s1")
    eventually(lambda: "missing bridge:  (s1); remedy: ovs-vsctl add-br s1" in problems(edge), edge)


def test_a_change_that_was_made_while_the_controller_was_away_is_repaired_when_it_comes_back(
    edge: Controller,
) -> None:
    before = flows(edge)
    edge.stop(signal.SIGKILL)
    edge.ovs.vsctl("set-controller", "s1", NOBODY)
    edge.start()
    await_repair(edge, before)


def test_a_bridge_follows_its_controller_to_another_port(edge: Controller) -> None:
    before = flows(edge)
    edge.stop()
    edge.port = free_port()
    edge.start()
    await_repair(edge, before)


def test_a_controller_that_somebody_leads_to_a_bridge_at_another_port_is_not_foreign(
    edge: Controller,
) -> None:
    edge.stop()
    edge.port = free_port()
    edge.ovs.vsctl("set-controller", "s1", own(edge))
    edge.start()
    edge.wait_for(1)
    assert targets(edge) == [own(edge)]
    edge.ovs.vsctl("del-controller", "s1")
    eventually(lambda: targets(edge) == [own(edge)], edge)


def test_a_foreign_bridge_is_left_alone(edge: Controller) -> None:
    edge.ovs.add_bridge("other", 77, ports=2)
    edge.ovs.vsctl("set-controller", "other", NOBODY)
    edge.ovs.vsctl("set-fail-mode", "other", "standalone")
    mirror(edge, "other", "otherp1")
    before = edge.ovs.vsctl("list", "Bridge", "other")
    edge.ovs.vsctl("set-fail-mode", "s1", "standalone")
    eventually(lambda: edge.ovs.vsctl("get-fail-mode", "s1").strip() == "secure", edge)
    eventually(lambda: problems(edge) == "", edge)
    assert edge.ovs.vsctl("list", "Bridge", "other") == before
    assert targets(edge, "other") == [NOBODY]


def test_a_database_that_is_restarted_is_watched_again(edge: Controller) -> None:
    before = flows(edge)
    edge.ovs.stop_database()
    eventually(lambda: "controllers, fail mode and interfaces of s1 are not watched" in problems(edge), edge)
    edge.ovs.start_database()
    edge.ovs.vsctl("del-controller", "s1")
    await_repair(edge, before)


def test_a_database_that_hangs_is_noticed(edge: Controller) -> None:
    edge.ovs.signal_database(signal.SIGSTOP)
    try:
        eventually(lambda: "db.sock: the database does not answer" in problems(edge), edge)
    finally:
        edge.ovs.signal_database(signal.SIGCONT)
    eventually(lambda: problems(edge) == "", edge)


def test_a_controller_that_is_not_to_watch_the_database_says_so_and_is_well(controller: Controller) -> None:
    controller.stop()
    controller.start(POSTERN_SWITCH_DATABASE="off")
    controller.wait_for(1)
    eventually(
        lambda: "POSTERN_SWITCH_DATABASE is off" in str(controller.status().get("unwatched")), controller
    )
    (row,) = controller.status()["switches"]
    assert (row["confirmed"], row["problems"]) == (True, [])


def test_a_stranger_who_deletes_the_controller_all_the_time_does_not_fill_the_journal(
    edge: Controller,
) -> None:
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        edge.ovs.vsctl("del-controller", "s1")
        time.sleep(0.3)
    assert journal(edge).count("Bridge") < 60
