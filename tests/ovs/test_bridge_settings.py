"""Settings of bridges and ports that no flow shows: named at once on a real switch, and put right."""

import subprocess
import time
from pathlib import Path

import pytest

from cli.main import main
from common.exit_codes import ExitCode
from controller.drift.bridge_settings import BRIDGE_SETTINGS, BridgeSetting, set_up
from tests.ovs import test_bridges, test_controller
from tests.ovs.dummy import DummyOvs
from tests.ovs.edge import MAC_BY_PORT
from tests.ovs.packets import SYN, read_frames, tcp_frame
from tests.ovs.test_bridges import await_quick_repair, eventually, flows, journal, own, problems, targets
from tests.ovs.test_controller import Controller
from tests.ovs.test_drift import WITHIN_S, await_drift, await_ended, drift

pytestmark = pytest.mark.ovs
controller, edge = test_controller.controller, test_bridges.edge  # fixtures

ROOT = Path(__file__).parents[2]
_HIGHEST_OF_FLOWS = 65_535
_DECOY, _GATEWAY = 9, 2
_TENANTS_SERVER = ("203.0.113.10", 25)
STANDBY = "tcp:127.0.0.1:1"
BAD_VALUES = {
    "fail_mode": "standalone",
    "other_config:disable-in-band": "false",
    "protocols": "OpenFlow10,OpenFlow14",
    "stp_enable": "true",
    "rstp_enable": "true",
    "mcast_snooping_enable": "true",
    "other_config:forward-bpdu": "true",
}


def hidden_flows(ovs: DummyOvs) -> list[str]:
    """Return the flows above all that OpenFlow can express: no OpenFlow message shows them."""
    found = ovs.appctl("bridge/dump-flows", "s1").splitlines()
    return [each for each in found if _priority(each) > _HIGHEST_OF_FLOWS]


def _priority(flow: str) -> int:
    _, _, rest = flow.partition("priority=")
    return int(rest.partition(",")[0].partition(" ")[0] or 0)


def as_the_controller(edge: Controller) -> bytes:
    """A decoy's connection to a tenant's port 25, with this controller's address and port as its source."""
    macs = MAC_BY_PORT[_DECOY], MAC_BY_PORT[_GATEWAY]
    return tcp_frame(macs, ("127.0.0.1", edge.port), _TENANTS_SERVER, SYN)


def leaves_by(edge: Controller, frame: bytes, port: int) -> bool:
    """Send a frame as the decoy; return whether it leaves by a port, even late."""
    path = edge.ovs.directory / "left.pcap"
    path.unlink(missing_ok=True)
    edge.ovs.vsctl("set", "interface", f"s1p{port}", f"options:tx_pcap={path}")
    edge.ovs.appctl("netdev-dummy/receive", f"s1p{_DECOY}", frame.hex())
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline and not (path.exists() and read_frames(path)):
        time.sleep(0.02)
    edge.ovs.vsctl("remove", "interface", f"s1p{port}", "options", "tx_pcap")
    return bool(read_frames(path))


def test_in_band_control_lets_a_decoy_reach_a_tenant_and_the_controller_turns_it_off(
    edge: Controller,
) -> None:
    edge.stop()
    edge.ovs.vsctl("remove", "Bridge", "s1", "other_config", "disable-in-band")
    eventually(lambda: hidden_flows(edge.ovs), edge)
    assert leaves_by(edge, as_the_controller(edge), _GATEWAY)
    edge.start()
    eventually(lambda: not hidden_flows(edge.ovs), edge)
    edge.await_in_step()
    assert not leaves_by(edge, as_the_controller(edge), _GATEWAY)


def test_in_band_control_that_somebody_turns_on_is_named_at_once_and_leaves_no_hidden_flow(
    edge: Controller,
) -> None:
    before = flows(edge)
    assert hidden_flows(edge.ovs) == []

    def turn_on() -> None:
        edge.ovs.vsctl("remove", "Bridge", "s1", "other_config", "disable-in-band")

    row = await_quick_repair(edge, turn_on, "disable-in-band")
    assert row["text"] == (
        "other_config:disable-in-band is false (hidden flows above all tables forward packets that carry a "
        "controller's address)"
    )
    eventually(lambda: not hidden_flows(edge.ovs), edge)
    assert flows(edge) == before
    assert journal(edge).count('"SwitchConnected"') == 1
    eventually(lambda: problems(edge) == "", edge)


@pytest.mark.parametrize("setting", BRIDGE_SETTINGS, ids=lambda each: each.column)
def test_each_setting_that_a_bridge_must_have_is_put_back(edge: Controller, setting: BridgeSetting) -> None:
    before = flows(edge)
    change = f"{setting.column}={BAD_VALUES[setting.column]}"
    await_quick_repair(edge, lambda: edge.ovs.vsctl("set", "Bridge", "s1", change), _word_for(setting))
    column, _, key = setting.column.partition(":")
    now = edge.ovs.vsctl("get", "Bridge", "s1", column + (f":{key}" if key else ""))
    assert now.strip().strip('[]"') == setting.wanted
    edge.wait_for(1)
    edge.await_in_step()
    assert flows(edge) == before


def _word_for(setting: BridgeSetting) -> str:
    return "standalone" if setting.column == "fail_mode" else f"{setting.column} is"


def test_a_bridge_that_nobody_has_set_up_is_put_right_when_it_is_first_seen(controller: Controller) -> None:
    controller.stop()
    for command in (
        ("clear", "Bridge", "s1", "protocols"),
        ("remove", "Bridge", "s1", "other_config", "disable-in-band"),
    ):
        controller.ovs.vsctl(*command)
    forget(controller)
    start(controller)
    await_ended(controller, "protocols is every version")
    await_ended(controller, "disable-in-band is false")
    controller.wait_for(1)
    assert controller.ovs.vsctl("get", "Bridge", "s1", "protocols").strip('[]"\n') == "OpenFlow14"


def start(edge: Controller) -> None:
    edge.start()
    edge.wait(lambda status: status["state"] != "not there")


def forget(edge: Controller) -> None:
    """Let the controller see its bridge for the first time."""
    for each in (edge.ovs.directory / "state").glob("postern.db*"):
        each.unlink()


def test_the_command_that_sets_a_bridge_up_leaves_nothing_to_repair(controller: Controller) -> None:
    controller.stop()
    forget(controller)
    controller.ovs.vsctl("clear", "Bridge", "s1", "protocols", "fail_mode", "other_config")
    controller.ovs.vsctl(*set_up("s1").split(), "other_config:datapath-id=0000000000000001")
    controller.start()
    controller.wait_for(1)
    eventually(lambda: test_bridges.is_remembered(controller), controller)
    assert drift(controller)["ended"] == []
    assert problems(controller) == ""


def test_a_limited_table_loses_its_limit(edge: Controller) -> None:
    limit = ("--id=@t", "create", "Flow_Table", "flow_limit=200000", "overflow_policy=evict")

    def change() -> None:
        edge.ovs.vsctl("--", *limit, "--", "set", "Bridge", "s1", "flow_tables:0=@t")

    row = await_quick_repair(edge, change, "table 0")
    assert row["text"] == "table 0 has flow_limit=200000, overflow_policy=evict: flows are refused or removed"
    assert edge.ovs.vsctl("get", "Bridge", "s1", "flow_tables").strip() == "{}"


def test_named_tables_are_no_difference(edge: Controller) -> None:
    name = ("--", "--id=@t", "create", "Flow_Table", "name=admission", "--", "set", "Bridge", "s1")
    edge.ovs.vsctl(*name, "flow_tables:0=@t")
    edge.ovs.vsctl("set", "Bridge", "s1", "stp_enable=true")
    await_ended(edge, "stp_enable is true")
    assert len(drift(edge)["ended"]) == 1
    assert "admission" in edge.ovs.vsctl("list", "Flow_Table")


def sflow(edge: Controller, target: str) -> None:
    row = ("--", "--id=@s", "create", "sFlow", f'targets="{target}"', "sampling=64")
    edge.ovs.vsctl(*row, "--", "set", "Bridge", "s1", "sflow=@s")


def test_a_collector_that_somebody_adds_is_removed(edge: Controller) -> None:
    await_quick_repair(edge, lambda: sflow(edge, "192.0.2.9:6343"), "sflow reports packets to 192.0.2.9:6343")
    assert edge.ovs.vsctl("get", "Bridge", "s1", "sflow").strip() == "[]"


def test_what_is_foreign_at_first_sight_is_named_and_kept_until_it_is_accepted(
    controller: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    edge = controller
    edge.stop()
    forget(edge)
    edge.ovs.vsctl("set-controller", "s1", own(edge), STANDBY)
    edge.ovs.vsctl("set-manager", "ptcp:0:127.0.0.1")
    sflow(edge, "192.0.2.9:6343")
    start(edge)
    eventually(lambda: drift(edge)["open_count"] == 3, edge)
    assert main(["status", "--api", edge.api.address]) == ExitCode.FAILED
    assert sorted(targets(edge)) == sorted((STANDBY, own(edge)))
    capsys.readouterr()
    assert main(["drift", "--accept", "s1", "--api", edge.api.address]) == ExitCode.OK
    edge.wait_for(1)
    assert main(["status", "--api", edge.api.address]) == ExitCode.OK
    edge.stop()
    edge.start()
    edge.wait_for(1)
    assert problems(edge) == ""
    row = edge.ovs.vsctl("get", "Bridge", "s1", "sflow").strip()
    change = ("set", "sFlow", row, 'targets="192.0.2.8:6343"')
    await_quick_repair(edge, lambda: edge.ovs.vsctl(*change), "sflow reports packets to 192.0.2.8:6343")
    assert "192.0.2.9:6343" in edge.ovs.vsctl("list", "sFlow")


@pytest.mark.parametrize("change", ["enable_async_messages=false", "type=service"])
def test_a_switch_that_is_told_not_to_report_its_ports_is_told_to_report_them(
    edge: Controller, change: str
) -> None:
    before = flows(edge)
    row = edge.ovs.vsctl("get", "Bridge", "s1", "controller").strip("[]\n")
    await_quick_repair(edge, lambda: edge.ovs.vsctl("set", "Controller", row, change), change)
    edge.wait_for(1)
    edge.await_in_step()
    assert flows(edge) == before
    assert problems(edge) == ""


def test_a_manager_that_somebody_adds_is_named_until_it_is_gone(edge: Controller) -> None:
    edge.ovs.vsctl("set-manager", "ptcp:0:127.0.0.1")
    eventually(lambda: "manager ptcp:0:127.0.0.1 lets other programs change" in problems(edge), edge)
    edge.ovs.vsctl("del-manager")
    eventually(lambda: problems(edge) == "", edge)


PORT_CHANGES = {
    "tag": ("set", "Port", "s1p4", "tag=7"),
    "vlan_mode": ("set", "Port", "s1p4", "vlan_mode=access"),
    "ingress_policing_rate": ("set", "Interface", "s1p4", "ingress_policing_rate=1"),
    "lldp": ("set", "Interface", "s1p4", "lldp:enable=true"),
    "qos": (
        *("--", "--id=@q", "create", "QoS", "type=linux-htb", "other-config:max-rate=1"),
        *("--", "set", "Port", "s1p4", "qos=@q"),
    ),
}


@pytest.mark.parametrize("column", PORT_CHANGES)
def test_a_setting_of_a_port_is_named_with_its_line_of_the_policy_and_put_back(
    edge: Controller, column: str
) -> None:
    row = await_quick_repair(edge, lambda: edge.ovs.vsctl(*PORT_CHANGES[column]), f"has {column}=")
    assert row["rule"] == "pools.proxies.members.proxy1"
    eventually(lambda: problems(edge) == "", edge)


def test_settings_that_a_port_had_when_it_was_first_seen_are_put_back(controller: Controller) -> None:
    edge = controller
    edge.stop()
    forget(edge)
    edge.ovs.vsctl("set", "Port", "s1p4", "tag=7", "trunks=1,2")
    edge.ovs.vsctl("set", "Interface", "s1p4", "bfd:min_tx=1000", "bfd:enable=false")
    start(edge)
    edge.wait_for(1)
    eventually(lambda: test_bridges.is_remembered(edge), edge)
    assert problems(edge) == ""

    def change() -> None:
        edge.ovs.vsctl("clear", "Port", "s1p4", "tag", "trunks")
        edge.ovs.vsctl("set", "Interface", "s1p4", "bfd:min_tx=7")

    await_quick_repair(edge, change, "has no trunks")
    await_ended(edge, 'has bfd={"enable"="false","min_tx"="7"}')
    assert edge.ovs.vsctl("get", "Port", "s1p4", "tag", "trunks").split("\n")[:2] == ["7", "[1, 2]"]
    assert "min_tx=" in edge.ovs.vsctl("get", "Interface", "s1p4", "bfd").replace('"', "")


def test_an_interface_that_gets_another_type_gets_its_own_back(edge: Controller) -> None:
    """OpenFlow shows that the port is gone, the database why: whoever is first names it."""
    began = time.monotonic()
    edge.ovs.vsctl("--no-wait", "set", "Interface", "s1p4", "type=nonsense")
    eventually(lambda: edge.ovs.vsctl("get", "Interface", "s1p4", "type").strip() == "dummy", edge)
    assert time.monotonic() - began < 2 * WITHIN_S
    rows = await_drift(edge, lambda found: bool(found["ended"]) and not found["open"])["ended"]
    assert any("s1p4" in f"{row['text']} {row['wanted']}" for row in rows)
    eventually(lambda: problems(edge) == "", edge)


def test_a_switch_of_mininet_alone_has_no_port_where_anyone_may_change_its_flows() -> None:
    """`mn` gives every switch a port to listen at. Mininet is a package of the system's Python."""
    program = """
from mininet_topos import parts
kept = {}
parts.OVSSwitch.__init__ = lambda self, name, **given: kept.update(given)
parts.EdgeSwitch("s1", listenPort=6654)
print(kept["listenPort"], kept.get("inband", False), kept["protocols"], kept["failMode"])
"""
    done = subprocess.run(
        ["/usr/bin/python3", "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.split() == ["None", "False", "OpenFlow14", "secure"]
