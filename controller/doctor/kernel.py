"""The kernel: its features are tried, because a container may forbid features that the kernel has."""

import ctypes
import errno
import os
import platform
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from controller.doctor.finding import Finding
from controller.doctor.system import AS_ROOT, content_of, output_of

_BPF = {"x86_64": 321, "aarch64": 280}
_LANDLOCK_VERSION, _LANDLOCK_FOR_TCP = 444, 4  # the system call; the first ABI with rules for TCP, Linux 6.7
_NEWEST_COMMAND = 10_000  # of bpf(2): no command has this number


LOST_WITHOUT_BPF = (
    "closed ports of decoys: some of them open and are reset at once, which attackers can notice"
)


class Ipv6(Enum):
    HERE = auto()
    OFF = auto()  # no address can be used in this network namespace
    ABSENT = auto()  # the kernel has no IPv6


class Bpf(Enum):
    HERE = auto()
    FORBIDDEN = auto()
    ABSENT = auto()


@dataclass(frozen=True, slots=True)
class KernelFacts:
    is_root: bool
    ipv6: Ipv6
    bpf: Bpf
    landlock: int  # the ABI; 0: none
    has_user_namespaces: bool
    has_other_namespaces: bool | None  # None: only root can try
    has_datapath: bool  # the module openvswitch, loaded or loadable


def look() -> KernelFacts:
    has_user_namespaces = may_unshare("--user", "--net")
    is_root = os.geteuid() == 0
    others = ["--net", "--mount"]
    if not is_root:
        others += ["--user", "--map-root-user"]
    return KernelFacts(
        is_root=is_root,
        ipv6=find_ipv6(),
        bpf=find_bpf(),
        landlock=landlock_abi(),
        has_user_namespaces=has_user_namespaces,
        has_other_namespaces=may_unshare(*others) if is_root or has_user_namespaces else None,
        has_datapath=Path("/sys/module/openvswitch").exists()
        or output_of("modprobe", "-n", "openvswitch") is not None,
    )


def may_unshare(*kinds: str) -> bool:
    return output_of("unshare", *kinds, "true") is not None


def find_ipv6() -> Ipv6:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        return Ipv6.ABSENT if error.errno == errno.EAFNOSUPPORT else Ipv6.OFF
    return Ipv6.HERE


def find_bpf() -> Bpf:
    """Call an undefined command: a process that may use bpf(2) gets EINVAL."""
    number = _BPF.get(platform.machine())
    if number is None:
        return Bpf.ABSENT
    libc = ctypes.CDLL(None, use_errno=True)
    nothing = ctypes.create_string_buffer(128)
    libc.syscall(ctypes.c_long(number), ctypes.c_int(_NEWEST_COMMAND), nothing, ctypes.c_uint(128))
    match ctypes.get_errno():
        case errno.ENOSYS:
            return Bpf.ABSENT
        case errno.EPERM | errno.EACCES:
            return Bpf.FORBIDDEN
    return Bpf.HERE


def landlock_abi() -> int:
    libc = ctypes.CDLL(None)
    return max(0, int(libc.syscall(_LANDLOCK_VERSION, None, ctypes.c_size_t(0), ctypes.c_uint(1))))


def judge(facts: KernelFacts) -> Iterator[Finding]:
    yield judge_ipv6(facts.ipv6)
    yield judge_bpf(facts.bpf, facts.is_root)
    yield judge_landlock(facts.landlock)
    yield _judge_user_namespaces(facts)
    yield _judge_other_namespaces(facts)
    yield _judge_datapath(facts)


def judge_ipv6(ipv6: Ipv6) -> Finding:
    if ipv6 is Ipv6.HERE:
        return Finding("IPv6", "works")
    lost = "mail, decoys and signatures at tenants' IPv6 addresses; IPv4 works"
    if ipv6 is Ipv6.ABSENT:
        return Finding(
            "IPv6",
            "the kernel was booted without it",
            "remove ipv6.disable=1 from the kernel's command line, and reboot",
            lost,
        )
    if (content_of("/proc/sys/net/ipv6/conf/all/disable_ipv6") or "").strip() == "1":
        remedy = "sysctl -w net.ipv6.conf.all.disable_ipv6=0"
        return Finding("IPv6", "turned off by sysctl", remedy, f"{lost}. Hosts of a lab still have IPv6")
    return Finding("IPv6", "no address is configured, not even ::1", "ip link set lo up", lost)


def judge_bpf(bpf: Bpf, is_root: bool) -> Finding:
    match bpf:
        case Bpf.HERE:
            return Finding("bpf(2)", "works")
        case Bpf.ABSENT:
            return Finding(
                "bpf(2)", "not in this kernel", "boot a kernel with CONFIG_BPF_SYSCALL", LOST_WITHOUT_BPF
            )
        case Bpf.FORBIDDEN if is_root:
            remedy = (
                "give this container CAP_BPF and CAP_NET_ADMIN; outside a container, turn kernel lockdown off"
            )
            return Finding("bpf(2)", "forbidden here, even to root", remedy, LOST_WITHOUT_BPF)
        case Bpf.FORBIDDEN:
            return Finding("bpf(2)", f"in this kernel; only root can test it: {AS_ROOT}")


def judge_landlock(abi: int) -> Finding:
    if abi >= _LANDLOCK_FOR_TCP:
        return Finding("Landlock", "the kernel can keep decoys from opening connections")
    return Finding(
        "Landlock",
        f"ABI {abi} has no rules for TCP" if abi else "not in this kernel",
        "boot Linux 6.7 or later, with landlock in lsm=",
        "the kernel's containment of a compromised decoy; the switch still drops its connections",
    )


def _judge_user_namespaces(facts: KernelFacts) -> Finding:
    if facts.has_user_namespaces:
        return Finding("user namespaces", "can be created")
    return Finding(
        "user namespaces",
        "cannot be created",
        "sysctl -w user.max_user_namespaces=10000; in a chroot or a container, nothing needs to be done",
        "Cowrie (SSH and Telnet of decoys) for an ordinary user; it works as root",
    )


def _judge_other_namespaces(facts: KernelFacts) -> Finding:
    if facts.has_other_namespaces is None:
        return Finding("other namespaces", f"only root can test them: {AS_ROOT}")
    if facts.has_other_namespaces:
        return Finding("other namespaces", "can be created")
    return Finding(
        "other namespaces",
        "network and mount namespaces cannot be created",
        "use a virtual machine, or a container with CAP_SYS_ADMIN",
        "the lab, the demo, and Cowrie (SSH and Telnet of decoys); the controller and the rest work",
    )


def _judge_datapath(facts: KernelFacts) -> Finding:
    if facts.has_datapath:
        return Finding("datapath", "this kernel has the module openvswitch")
    return Finding(
        "datapath",
        "this kernel has no module openvswitch; bridges with datapath_type=netdev work",
        "boot a kernel with CONFIG_OPENVSWITCH",
        "throughput, on a switch of your own; the lab forwards in userspace anyway",
    )
