"""A decoy's host: whether it answers for tenants' addresses, and which kernel features it has."""

import os
import pwd
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.doctor import kernel, member
from controller.doctor.finding import Finding
from controller.doctor.kernel import Bpf
from controller.doctor.member import MemberFacts, capabilities
from controller.doctor.system import output_of

_CAP_BPF, _CAP_NET_ADMIN = 1 << 39, 1 << 12  # linux/capability.h
_REPOSITORY = Path(__file__).parents[2]
_SET_UP = _REPOSITORY / "deploy" / "setup" / "cowrie-environment"
_MAKES_USER = _REPOSITORY / "deploy" / "setup" / "system"
_USER = "postern-cowrie"


@dataclass(frozen=True, slots=True)
class DecoyFacts:
    host: MemberFacts
    has_local_prefixes: bool  # a route makes tenants' prefixes local
    landlock: int  # the kernel's ABI; 0: no Landlock
    bpf: Bpf
    may_shut_ports: bool  # as far as capabilities go
    may_isolate: bool  # Cowrie gets a network of its own, without interfaces
    cowrie_python: str
    has_cowrie: bool
    has_user: bool


def look() -> DecoyFacts:
    python = Path(os.environ.get("POSTERN_COWRIE_VENV", _REPOSITORY / ".venv-cowrie"), "bin", "python")
    needed = _CAP_BPF | _CAP_NET_ADMIN
    return DecoyFacts(
        host=member.look(),
        has_local_prefixes=_has_local_prefixes(),
        landlock=kernel.landlock_abi(),
        bpf=kernel.find_bpf(),
        may_shut_ports=capabilities() & needed == needed,
        may_isolate=kernel.may_unshare("--net", "--ipc"),
        cowrie_python=str(python),
        has_cowrie=output_of(str(python), "-c", "import cowrie") is not None,
        has_user=_has_user(),
    )


def _has_local_prefixes() -> bool:
    """Return whether a prefix other than loopback's own is local here (ip-route(8))."""
    found = [
        words[1]
        for family in (4, 6)
        for line in (output_of("ip", f"-{family}", "route", "show", "table", "local") or "").splitlines()
        if (words := line.split())[:1] == ["local"]
    ]
    return any("/" in prefix and not prefix.startswith("127.") for prefix in found)


def _has_user() -> bool:
    try:
        pwd.getpwnam(_USER)
    except KeyError:
        return False
    return True


def judge(facts: DecoyFacts) -> Iterator[Finding]:
    yield from member.judge_link(facts.host)
    if facts.has_local_prefixes:
        yield Finding("addresses", "this host answers for tenants' prefixes")
    elif facts.host.interface:
        yield from member.judge_addresses(facts.host)
    yield kernel.judge_landlock(facts.landlock)
    yield _judge_ports(facts)
    if not facts.may_isolate:
        yield Finding(
            "namespaces",
            "network namespaces cannot be created here",
            "run it as root, outside a container",
            "SSH and Telnet: Cowrie runs only in a network without interfaces; the other services work",
        )
    yield Finding(
        "Cowrie",
        f"installed in {facts.cowrie_python}"
        if facts.has_cowrie
        else f"{facts.cowrie_python} does not have it: no SSH, no Telnet",
        "" if facts.has_cowrie else f"run {_SET_UP}, or set POSTERN_COWRIE_VENV",
    )
    yield Finding(
        f"user {_USER}",
        "exists" if facts.has_user else "missing",
        "" if facts.has_user else f"run {_MAKES_USER}",
    )


def _judge_ports(facts: DecoyFacts) -> Finding:
    if facts.may_shut_ports or facts.bpf is Bpf.ABSENT:
        return kernel.judge_bpf(facts.bpf, is_root=True)
    return Finding(
        "bpf(2)",
        "this process is not permitted to use it",
        "run the decoy as root, or with AmbientCapabilities=CAP_BPF CAP_NET_ADMIN",
        kernel.LOST_WITHOUT_BPF,
    )
