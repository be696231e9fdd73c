"""What a machine lacks is named with what is lost by it; only what must be done makes the exit code 1."""

import errno
import tempfile
from collections.abc import Iterable
from dataclasses import replace

import pytest

from controller.doctor import (
    decoy,
    environment,
    kernel,
    member,
    names,
    neighbours,
    openvswitch,
    room,
    scanner,
)
from controller.doctor.finding import Finding, FindingLevel
from controller.doctor.kernel import Bpf, Ipv6, KernelFacts
from controller.doctor.names import NameFacts
from controller.doctor.neighbours import Listener, NeighbourFacts
from controller.doctor.room import Disk, RoomFacts
from controller.doctor.scanner import ScannerFacts
from controller.doctor.system import Timed, timed
from tests.doctor.test_findings import DECOY, ENVIRONMENT, MEMBER, SWITCH

DAY_S = 86_400.0
MADE_S, NOW_S = 1.7e9, 1.75e9
KERNEL = KernelFacts(True, Ipv6.HERE, Bpf.HERE, 7, True, True, True)
NAMES = NameFacts("host", Timed(0.01, True), Timed(0.01, False))
DISK = Disk(("/var", "/tmp"), 5_000, 700, 90_000, False)
ROOM = RoomFacts((DISK,), 4_000, NOW_S, MADE_S)
NEIGHBOURS = NeighbourFacts(("/opt/postern", "/opt/postern/.venv"), (), ())
FAUCET = Listener(6653, 77, "/usr/bin/faucet --verbose", "/")
OWN = Listener(6653, 78, "python ryu-manager apps/edge.py", "/opt/postern")
UNIT = Listener(6653, 79, "python ryu-manager /opt/postern/apps/edge.py", "/")
WHEEL = Listener(6653, 81, "/opt/postern/.venv/bin/python /opt/postern/.venv/bin/postern-controller", "/")
OTHER = Listener(6653, 80, "python ryu-manager apps/edge.py", "/home/b/postern")


def not_good(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level is not FindingLevel.GOOD]


def the_one(findings: Iterable[Finding]) -> Finding:
    (finding,) = not_good(findings)
    assert finding.remedy
    return finding


def test_the_doctor_looks_at_a_machine_whose_disks_are_all_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    assert room.look().disks


def test_a_machine_that_has_everything_loses_nothing() -> None:
    assert not not_good(kernel.judge(KERNEL))
    assert not not_good(names.judge(NAMES))
    assert not not_good(room.judge(ROOM))
    assert not not_good(neighbours.judge(NEIGHBOURS))


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"ipv6": Ipv6.ABSENT}, "tenants' IPv6 addresses; IPv4 works"),
        ({"ipv6": Ipv6.OFF}, "tenants' IPv6 addresses; IPv4 works"),
        ({"bpf": Bpf.ABSENT}, "closed ports of decoys"),
        ({"bpf": Bpf.FORBIDDEN}, "closed ports of decoys"),
        ({"landlock": 0}, "the switch still drops its connections"),
        ({"landlock": 3}, "the switch still drops its connections"),
        ({"has_user_namespaces": False}, "Cowrie (SSH and Telnet of decoys) for an ordinary user"),
        ({"has_other_namespaces": False}, "the lab, the demo, and Cowrie"),
        ({"has_datapath": False}, "throughput"),
    ],
)
def test_what_the_kernel_lacks_is_said_with_what_is_lost(change: dict[str, object], lost: str) -> None:
    finding = the_one(kernel.judge(replace(KERNEL, **change)))  # type: ignore[arg-type]
    assert (finding.level, lost in finding.lost) == (FindingLevel.LOST, True)


def test_an_ordinary_user_is_not_told_that_root_may_not_either() -> None:
    facts = replace(KERNEL, is_root=False, bpf=Bpf.FORBIDDEN, has_other_namespaces=None)
    unknown = [finding.subject for finding in kernel.judge(facts) if "only root can test" in finding.fact]
    assert unknown == ["bpf(2)", "other namespaces"]
    assert not not_good(kernel.judge(facts))


@pytest.mark.parametrize(
    ("own", "fact"),
    [
        (Timed(10.0, False), "does not resolve; the resolver does not answer within 10 s"),
        (Timed(0.0, False), "does not resolve; the resolver answers at once"),
        (Timed(5.2, True), "resolves; the resolver answers within 5.2 s"),
    ],
)
def test_a_host_name_that_nobody_knows_is_found_with_the_line_for_etc_hosts(own: Timed, fact: str) -> None:
    finding = the_one(names.judge(replace(NAMES, own_name="odd-name", own=own)))
    assert finding.fact == f"odd-name {fact}"
    assert finding.remedy == "echo '127.0.1.1 odd-name' | sudo tee -a /etc/hosts"
    assert finding.level is FindingLevel.LOST


def test_a_resolver_that_hears_nothing_is_found() -> None:
    finding = the_one(names.judge(replace(NAMES, nobodys=Timed(10.0, False))))
    assert "does not answer within 10 s" in finding.fact
    assert "/etc/resolv.conf" in finding.remedy


def test_a_program_that_hangs_is_waited_for_no_longer_than_said() -> None:
    asked = timed("sleep", "60", within_s=0.05)
    assert not asked.has_succeeded
    assert asked.seconds < 5


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"free_mib": 699}, "free 700 MiB"),
        ({"free_files": 3}, "du -x --inodes /var"),
        ({"is_read_only": True}, "mount -o remount,rw /var"),
    ],
)
def test_a_disk_that_takes_no_more_is_wrong(change: dict[str, object], remedy: str) -> None:
    disk = replace(DISK, **change)  # type: ignore[arg-type]
    finding = the_one(room.judge(replace(ROOM, disks=(disk,))))
    assert (finding.level, remedy in finding.remedy) == (FindingLevel.WRONG, True)


def test_a_file_system_that_counts_no_files_is_not_full_of_them() -> None:
    assert not not_good(room.judge(replace(ROOM, disks=(replace(DISK, free_files=None),))))


def test_little_memory_costs_the_lab_only() -> None:
    assert the_one(room.judge(replace(ROOM, memory_mib=400))).level is FindingLevel.LOST


@pytest.mark.parametrize("now_s", [0.0, MADE_S - DAY_S, MADE_S + 16 * 365 * DAY_S])
def test_a_clock_that_is_years_off_is_wrong(now_s: float) -> None:
    finding = the_one(room.judge(replace(ROOM, now_s=now_s)))
    assert (finding.level, "certificates" in finding.fact) == (FindingLevel.WRONG, True)


def test_a_system_whose_files_have_no_dates_says_nothing_about_the_clock() -> None:
    assert not not_good(room.judge(replace(ROOM, system_made_s=0.0)))


def test_a_stranger_at_the_controllers_port_is_wrong_and_named() -> None:
    finding = the_one(neighbours.judge(replace(NEIGHBOURS, listeners=(FAUCET,))))
    assert finding.level is FindingLevel.WRONG
    assert "process 77, /usr/bin/faucet" in finding.fact
    assert "--ofp-tcp-listen-port 6654" in finding.remedy


def test_a_stranger_at_the_apis_port_costs_bearers_only() -> None:
    finding = the_one(neighbours.judge(replace(NEIGHBOURS, listeners=(replace(FAUCET, port=9057),))))
    assert (finding.level, "its unix socket works" in finding.lost) == (FindingLevel.LOST, True)


@pytest.mark.parametrize("listener", [OWN, UNIT, WHEEL, Listener(6653)])
def test_our_own_controller_or_one_that_only_root_sees_is_no_trouble(listener: Listener) -> None:
    assert not not_good(neighbours.judge(replace(NEIGHBOURS, listeners=(listener,))))


def test_the_controller_of_a_checkout_beside_this_one_is_named_with_its_directory() -> None:
    finding = the_one(neighbours.judge(replace(NEIGHBOURS, listeners=(OTHER,))))
    assert finding.level is FindingLevel.LOST
    assert "process 80 in /home/b/postern" in finding.fact


def test_a_checkout_in_a_private_home_is_lost_to_systemd_only() -> None:
    finding = the_one(neighbours.judge(replace(NEIGHBOURS, private=("/home/newcomer",))))
    assert (finding.level, "systemd" in finding.lost) == (FindingLevel.LOST, True)


def test_a_directory_that_only_its_ordinary_owner_may_enter_is_private() -> None:
    """As root this is about whose it is: nothing keeps root's programs out of root's own directories."""
    assert neighbours.is_private(0o700, owner=1000)
    assert not neighbours.is_private(0o711, owner=1000)
    assert not neighbours.is_private(0o700, owner=0)


def test_a_bridge_of_somebody_else_with_the_name_of_a_labs_costs_the_lab() -> None:
    finding = the_one(openvswitch.judge(replace(SWITCH, others=("br-int", "s1"))))
    assert (finding.level, finding.remedy) == (FindingLevel.LOST, "if it is not needed: ovs-vsctl del-br s1")


def test_open_vswitch_that_talks_to_root_alone_is_not_called_stopped() -> None:
    (finding,) = openvswitch.judge(replace(SWITCH, version="", needs_root=True))
    assert (finding.level, "only root" in finding.fact) == (FindingLevel.GOOD, True)


def test_a_clamd_of_somebody_else_is_not_called_wrong() -> None:
    file = "/etc/clamav/clamd.conf"
    facts = ScannerFacts("ClamAV 1.4.6", {file: {"TCPSocket": "3310"}}, frozenset({file}))
    found = not_good(scanner.judge(facts))
    assert {finding.level for finding in found} == {FindingLevel.LOST}
    facts = replace(facts, files_of_others=frozenset())
    assert {finding.level for finding in not_good(scanner.judge(facts))} == {FindingLevel.WRONG}


def test_a_system_that_nobody_has_tried_is_named() -> None:
    finding = the_one(environment.judge(replace(ENVIRONMENT, system="Ubuntu 24.04", release="ubuntu 24.04")))
    assert (finding.level, "Ubuntu 24.04" in finding.fact) == (FindingLevel.LOST, True)


def test_a_member_without_ipv6_is_good_at_ipv4_and_not_told_to_do_the_impossible() -> None:
    finding = the_one(member.judge(replace(MEMBER, ipv6=Ipv6.ABSENT)))
    assert (finding.level, finding.subject) == (FindingLevel.LOST, "IPv6")


def test_a_decoy_that_can_make_no_network_for_cowrie_loses_ssh_and_telnet() -> None:
    finding = the_one(decoy.judge(replace(DECOY, may_isolate=False)))
    assert (finding.level, "SSH and Telnet" in finding.lost) == (FindingLevel.LOST, True)


def test_a_decoys_kernel_without_bpf_is_told_so_rather_than_to_run_as_root() -> None:
    finding = the_one(decoy.judge(replace(DECOY, bpf=Bpf.ABSENT, may_shut_ports=False)))
    assert finding.remedy == "boot a kernel with CONFIG_BPF_SYSCALL"
