"""Every program that Postern starts comes with a Debian package that the set-up names."""

import ast
import functools
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.setup.scripts import REPOSITORY, SETUP

pytestmark = pytest.mark.programs

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SOURCES = {
    "demo": ("cli", "controller", "apps", "services", "lab", "mininet_topos"),
    "test": ("cli", "controller", "apps", "services", "lab", "mininet_topos", "tests", "benchmarks"),
}
# What Mininet and the shell scripts start, and what README.md and the demo tell people to type.
_ALSO = (
    "ifconfig",
    "arp",
    "telnet",
    "mnexec",
    "modprobe",
    "useradd",
    "flock",
    "sysctl",
    "tcpdump",
    "ping",
    "ip",
)
# Words of ours that happen to be names of programs which we do not start.
_WORDS = {"as", "column", "crowdsec", "file", "look", "make", "size", "sudo", "time", "wget", "write"}


def named(group: str) -> set[str]:
    """Return the packages that a group names."""
    text = (SETUP / "packages" / "demo.txt").read_text(encoding="utf-8")
    if group == "test":
        text += (SETUP / "packages" / "test.txt").read_text(encoding="utf-8")
    return {line.split()[0] for line in text.splitlines() if line.strip() and not line.startswith("#")}


@functools.cache
def installed_by(group: str) -> frozenset[str]:
    """Return what is there after a group was installed: what it names, what that needs, what all have."""
    command = ["apt-cache", "depends", "--recurse", "--important", "--installed", *sorted(named(group))]
    lines = _output(*command).splitlines()
    base = _output("dpkg-query", "-W", "-f", "${Package} ${Essential} ${Priority}\n").splitlines()
    everywhere = {line.split()[0] for line in base if line.endswith((" required", " yes required"))}
    return frozenset({"apt", *(line.partition(":")[0] for line in lines if line[:1].isalnum()), *everywhere})


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False).stdout


def owners(files: Iterable[Path]) -> dict[Path, str]:
    """Return the package of each file. Debian 12 knows many by their place before /usr was merged."""
    places = {place: file for file in files for place in (str(file), str(file).replace("/usr/", "/", 1))}
    lines = [line.rpartition(": ") for line in _output("dpkg", "-S", *places).splitlines()]
    return {places[place]: package.partition(":")[0] for package, _, place in lines if place in places}


def programs(group: str) -> set[Path]:
    """Return the programs whose names stand where a command begins: first in a list, in a call, alone."""
    words = set(_ALSO)
    for top in _SOURCES[group]:
        for file in (REPOSITORY / top).rglob("*.py"):
            words |= {Path(word).name for word in _first_words(ast.parse(file.read_text(encoding="utf-8")))}
    found = {shutil.which(word, path=_PATH) for word in words - _WORDS if re.fullmatch(r"[a-z0-9_-]+", word)}
    return {Path(path).resolve() for path in found if path}


def _first_words(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.List(elts=[first, *_]) | ast.Tuple(elts=[first, *_]) | ast.Call(args=[first, *_]):
                yield _first_word(first)
            case ast.Assign(value=value):
                yield _first_word(value)


def _first_word(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    return next(iter(text.split()), "")


@pytest.mark.parametrize("group", ["demo", "test"])
def test_every_program_that_is_started_comes_with_a_package_that_is_named(group: str) -> None:
    started = programs(group)
    by_program = owners(started)
    assert len(started) > 25
    assert not {str(each) for each in started if by_program.get(each) not in installed_by(group)}


def test_swaks_finds_its_modules_for_ipv6_and_tls_in_packages_that_are_named() -> None:
    """swaks only recommends them, and the set-up installs nothing that is only recommended."""
    files = "qw(IO/Socket/INET6.pm Net/SSLeay.pm)"
    show = f'use IO::Socket::INET6; use Net::SSLeay; print "$_\\n" for @INC{{{files}}}'
    done = subprocess.run(
        ["perl", "-e", show], capture_output=True, encoding="utf-8", timeout=20, check=False
    )
    assert done.returncode == 0, f"{done.stderr}; remedy: make setup"
    modules = owners(map(Path, done.stdout.splitlines()))
    assert len(modules) == 2 and set(modules.values()) <= named("demo")


def test_the_demo_installs_nothing_that_only_tests_need() -> None:
    only_tests = named("test") - named("demo")
    assert only_tests and not only_tests & installed_by("demo") - {"systemd"}
    assert not {"gcc", "libc6-dev", "python3-dev"} & named("test")


def test_every_package_says_what_it_is_for() -> None:
    for file in ("demo.txt", "test.txt"):
        for line in (SETUP / "packages" / file).read_text(encoding="utf-8").splitlines():
            assert not line or line.startswith("#") or len(line.partition("#")[2]) > 10, line
