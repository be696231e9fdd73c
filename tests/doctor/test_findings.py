"""Each known trap is found, and each finding says what to type."""

from dataclasses import replace

import pytest

from controller.doctor import antivirus, decoy, environment, member, openvswitch, scanner
from controller.doctor.antivirus import AntivirusFacts
from controller.doctor.decoy import DecoyFacts
from controller.doctor.environment import EnvironmentFacts
from controller.doctor.finding import Finding, FindingLevel
from controller.doctor.kernel import Bpf, Ipv6
from controller.doctor.member import MemberFacts
from controller.doctor.openvswitch import BridgeFacts, SwitchFacts, drops_what_is_invalid
from controller.doctor.scanner import ScannerFacts, parse_settings
from controller.drift.bridge_record import LimitedTable

ENVIRONMENT = EnvironmentFacts(
    (3, 11), "4.34", "0.41.3", True, "ryu-manager 4.34", True, "Debian", "debian 12"
)
BRIDGE = BridgeFacts("s1", "netdev", (), (), True, True, False, (), False, False)
SWITCH = SwitchFacts("3.1.0", False, False, (BRIDGE,), (), True)
MEMBER = MemberFacts("eth0", Ipv6.HERE, 0, (), (), False, True)
DECOY = DecoyFacts(MEMBER, True, 7, Bpf.HERE, True, True, "/x/bin/python", True, True)
GOOD_CLAMD = "TCPSocket 3310\nTCPAddr 192.0.2.100\nAlertExceedsMax yes\nStreamMaxLength 128M\n"


def remedies(findings: list[Finding]) -> list[str]:
    return [finding.remedy for finding in findings if finding.level is not FindingLevel.GOOD]


def test_a_good_environment_needs_no_remedy() -> None:
    assert remedies(list(environment.judge(ENVIRONMENT))) == []


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"python": (3, 10)}, "POSTERN_PYTHON"),
        ({"ryu": ""}, "make setup"),
        ({"eventlet": "0.30.2"}, "0.41.3"),
        ({"has_mend": False}, "controller.openflow.compat"),
        ({"ryu_manager": ""}, "make clean"),
        ({"has_mininet": False}, "apt-get install mininet"),
    ],
)
def test_a_trap_of_the_environment_is_found(change: dict[str, object], remedy: str) -> None:
    (found,) = remedies(list(environment.judge(replace(ENVIRONMENT, **change))))  # type: ignore[arg-type]
    assert remedy in found


def test_a_good_switch_needs_no_remedy() -> None:
    assert remedies(list(openvswitch.judge(SWITCH))) == []


def test_a_switch_that_does_not_run_is_the_only_complaint() -> None:
    (found,) = openvswitch.judge(replace(SWITCH, version=""))
    assert "systemctl start openvswitch-switch" in found.remedy


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"datapath_type": "system"}, "datapath_type=netdev"),
        ({"wrong_settings": (("fail_mode", "standalone"),)}, "set bridge s1 fail_mode=secure"),
        (
            {"wrong_settings": (("other_config:disable-in-band", "false"),)},
            "set bridge s1 other_config:disable-in-band=true",
        ),
        ({"wrong_settings": (("protocols", "OpenFlow13 OpenFlow14"),)}, "set bridge s1 protocols=OpenFlow14"),
        (
            {"limited_tables": (LimitedTable(3, "", (("flow_limit", "9"),)),)},
            "ovs-vsctl remove bridge s1 flow_tables 3",
        ),
        ({"has_mirror": True}, "clear bridge s1 mirrors"),
        (
            {"has_controller": False},
            "other_config:disable-in-band=true protocols=OpenFlow14 -- set-controller s1",
        ),
        ({"is_connected": False}, "start the controller"),
        ({"ports_with_offload": ("s1-eth1",)}, "ethtool -K s1-eth1 tx off"),
        ({"has_normal_flow": True}, "del-flows s1"),
        ({"drops_invalid": True}, "remove that flow"),
    ],
)
def test_a_trap_of_a_bridge_is_found(change: dict[str, object], remedy: str) -> None:
    bridge = replace(BRIDGE, **change)  # type: ignore[arg-type]
    (found,) = remedies(list(openvswitch.judge(replace(SWITCH, bridges=(bridge,)))))
    assert remedy in found


def test_the_kernels_datapath_is_good_where_the_kernel_has_it() -> None:
    bridge = replace(BRIDGE, datapath_type="system")
    assert remedies(list(openvswitch.judge(replace(SWITCH, has_kernel_module=True, bridges=(bridge,))))) == []


def test_a_controller_that_does_not_listen_is_named_with_the_command_that_starts_one() -> None:
    (found,) = remedies(list(openvswitch.judge(replace(SWITCH, controller_listens=False))))
    assert "ryu-manager --ofp-listen-host 127.0.0.1 apps/edge.py" in found


def test_bridges_of_others_are_named_and_need_no_remedy() -> None:
    findings = list(openvswitch.judge(replace(SWITCH, others=("br-int",))))
    assert any("br-int: not Postern's, and never changed" in finding.fact for finding in findings)
    assert remedies(findings) == []


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"interface": ""}, "connect it"),
        ({"reverse_path_filter": 2}, "net.ipv4.conf.eth0.rp_filter=0"),
        ({"families_without_rule": (6,)}, "ip -6 rule add iif eth0 lookup 100"),
        ({"families_without_route": (4,)}, "ip -4 route add local 0.0.0.0/0 dev lo table 100"),
        ({"offloads": True}, "ethtool -K eth0 tx off"),
        ({"may_be_transparent": False}, "CAP_NET_RAW"),
    ],
)
def test_a_trap_of_a_pool_member_is_found(change: dict[str, object], remedy: str) -> None:
    (found,) = remedies(list(member.judge(replace(MEMBER, **change))))  # type: ignore[arg-type]
    assert remedy in found


def test_a_host_without_a_link_is_told_so_and_nothing_else() -> None:
    (found,) = member.judge(replace(MEMBER, interface=""))
    assert "connect it to a switch port" in found.remedy


def test_a_good_decoy_needs_no_remedy() -> None:
    assert remedies(list(decoy.judge(DECOY))) == []


def test_a_decoy_may_answer_for_everything_as_a_proxy_does() -> None:
    assert remedies(list(decoy.judge(replace(DECOY, has_local_prefixes=False)))) == []


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"landlock": 3}, "Linux 6.7"),
        ({"may_shut_ports": False}, "CAP_BPF"),
        ({"has_cowrie": False}, "deploy/setup/cowrie-environment"),
        ({"has_user": False}, "deploy/setup/system"),
        ({"host": replace(MEMBER, reverse_path_filter=2)}, "rp_filter=0"),
        (
            {"has_local_prefixes": False, "host": replace(MEMBER, families_without_rule=(6,))},
            "ip -6 rule add iif eth0 lookup 100",
        ),
    ],
)
def test_a_trap_of_a_decoy_is_found(change: dict[str, object], remedy: str) -> None:
    (found,) = remedies(list(decoy.judge(replace(DECOY, **change))))  # type: ignore[arg-type]
    assert remedy in found


@pytest.mark.parametrize("at_port", ["", "nginx"])
def test_a_good_anti_virus_server_needs_no_remedy(at_port: str) -> None:
    assert remedies(list(antivirus.judge(AntivirusFacts((), at_port)))) == []


def test_traps_of_an_anti_virus_server_are_found() -> None:
    found = remedies(list(antivirus.judge(AntivirusFacts(("clamscan", "sigtool", "nginx"), "apache2"))))
    assert found == [
        "apt-get install --no-install-recommends clamav nginx",
        "make apache2 listen at another port: clients fetch signatures here",
    ]


def test_a_good_pool_member_needs_no_remedy() -> None:
    assert remedies(list(member.judge(MEMBER))) == []


def clamd(text: str, version: str = "ClamAV 1.4.6") -> list[str]:
    return remedies(
        list(scanner.judge(ScannerFacts(version, {"clamd.conf": parse_settings(text)}, frozenset())))
    )


def test_a_good_scanner_needs_no_remedy() -> None:
    assert clamd(GOOD_CLAMD) == []


@pytest.mark.parametrize(
    ("text", "version", "remedy"),
    [
        (
            GOOD_CLAMD.replace("AlertExceedsMax yes", "# AlertExceedsMax yes"),
            "ClamAV 1.4.6",
            "AlertExceedsMax",
        ),
        (GOOD_CLAMD.replace("128M", "5M"), "ClamAV 1.4.6", "StreamMaxLength 25M"),
        (GOOD_CLAMD.replace("TCPAddr", "# TCPAddr"), "ClamAV 1.4.6", "TCPAddr"),
        (GOOD_CLAMD, "ClamAV 1.5.0", "EnableShutdownCommand no"),
        (GOOD_CLAMD, "", "apt-get install clamav-daemon"),
    ],
)
def test_a_trap_of_a_scanner_is_found(text: str, version: str, remedy: str) -> None:
    (found,) = clamd(text, version)
    assert remedy in found


@pytest.mark.parametrize(
    ("cookie", "is_foreign"), [("0x0", True), ("0x9057f71616810d96", False)], ids=["foreign", "ours"]
)
def test_a_flow_that_drops_invalid_packets_is_wrong_unless_it_is_ours(cookie: str, is_foreign: bool) -> None:
    flow = f" cookie={cookie}, duration=1.2s, table=7, n_packets=0, n_bytes=0, priority=30000,ct_state=+inv"
    assert drops_what_is_invalid(f"{flow},ip,ip_frag=yes actions=drop\n") is is_foreign
    assert drops_what_is_invalid(f"{flow}+trk,ip actions=drop\n") is is_foreign
    assert not drops_what_is_invalid(f"{flow}+trk,ip actions=resubmit(,8)\n")


@pytest.mark.parametrize(("driver", "is_wrong"), [("veth", True), ("virtio_net", False)])
def test_checksums_left_to_hardware_are_wrong_on_half_of_a_veth_pair_only(
    monkeypatch: pytest.MonkeyPatch, driver: str, is_wrong: bool
) -> None:
    """Numbers of interfaces say nothing: the other half may have the same one in its own namespace."""
    said = {"-i": f"driver: {driver}\nversion: 1.0\n", "-k": "rx-checksumming: on\ntx-checksumming: on\n"}
    monkeypatch.setattr(openvswitch, "output_of", lambda *words: said[words[1]])
    assert openvswitch._offloads("s1-eth1") is is_wrong
