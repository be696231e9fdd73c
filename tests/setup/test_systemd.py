"""The units for systemd start programs that there are, with arguments that they take."""

import configparser
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.without import WITHOUT

pytestmark = pytest.mark.programs
REPOSITORY = Path(__file__).resolve().parents[2]
UNITS = REPOSITORY / "deploy" / "systemd"
NAMES = sorted(file.name for file in UNITS.glob("*.service"))
_POSTERN = shlex.quote(str(Path(sys.executable).parent / "postern"))
_ELSEWHERE = {"POSTERN_SERVER": "http://192.0.2.120"}  # what only the operator can know


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("units")
    subprocess.run([UNITS / "install", directory], check=True, capture_output=True, timeout=20)
    return directory


def options(unit: Path, section: str, key: str) -> list[str]:
    """Return all values of an option that may come several times."""
    lines = unit.read_text(encoding="utf-8").partition(f"[{section}]\n")[2].partition("\n[")[0].splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]


def environment(unit: Path) -> dict[str, str]:
    lines = options(unit, "Service", "Environment")
    told = [
        line
        for line in (UNITS / "member.env").read_text(encoding="utf-8").splitlines()
        if line and line[0] != "#"
    ]
    pairs = [line.partition("=") for line in (*told, *lines)]
    return {name: value for name, _, value in pairs} | _ELSEWHERE


def command(unit: Path) -> list[str]:
    (line,) = options(unit, "Service", "ExecStart")
    for name, value in environment(unit).items():
        line = line.replace(f"${{{name}}}", value)
    return shlex.split(line.replace("%i", "proxy1").replace(" $POSTERN_MORE", ""))


def module_of(program: str) -> str | None:
    """Return the module that an entry point of ours runs."""
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    lines = setup["options.entry_points"]["console_scripts"].split("\n")
    modules = {name.strip(): place.strip() for name, _, place in (line.partition("=") for line in lines)}
    return modules.get(program, "").partition(":")[0] or None


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_leaves_nothing_to_be_filled_in(installed: Path, name: str) -> None:
    text = (installed / name).read_text(encoding="utf-8")
    assert "@" not in text.replace("@%i", "")
    assert not [word for word in command(installed / name) if set(word) & set("$# ")]
    for documentation in options(installed / name, "Unit", "Documentation"):
        assert Path(documentation.removeprefix("file:")).exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_starts_a_program_that_there_is_with_arguments_that_it_takes(
    installed: Path, name: str
) -> None:
    program, *arguments = command(installed / name)
    assert os.access(program, os.X_OK)
    module = module_of(Path(program).name)
    if module is None:
        assert Path(program).name == "anyip"
    else:
        _, others = importlib.import_module(module).build_parser().parse_known_args(arguments)
        assert all(option in _options_of_ryu() for option in others if option.startswith("-"))
        assert module == "apps.main" or not others


def _options_of_ryu() -> list[str]:
    """Return the options of `ryu-manager`, which `postern-controller` hands on."""
    manager = Path(sys.executable).parent / "ryu-manager"
    done = subprocess.run([manager, "--help"], capture_output=True, encoding="utf-8", timeout=60, check=True)
    return re.findall(r"--[a-z-]+", done.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_systemd_finds_nothing_wrong_with_a_unit(installed: Path, name: str) -> None:
    instance = name.replace("@.", "@proxy1.")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", installed / instance],
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{installed}:"},
    )
    ours = [line for line in done.stderr.splitlines() if "postern" in line]
    assert not ours


@pytest.mark.lab
def test_programs_that_units_may_not_read_are_named(tmp_path: Path) -> None:
    """Units are root without its right to enter a home directory of mode 0700."""
    home = tmp_path / "home"
    shutil.copytree(UNITS, home / "deploy" / "systemd")
    program = home / ".venv" / "bin" / "postern"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    (home / "setup.cfg").touch()
    said = [_install(home, tmp_path / "units")]
    home.chmod(0o700)
    os.chown(home, 65_534, 65_534)
    said.append(_install(home, tmp_path / "units"))
    assert said[0] == ""
    assert "they cannot start it" in said[1] and "; remedy: " in said[1]


def _install(checkout: Path, directory: Path) -> str:
    command = [checkout / "deploy" / "systemd" / "install", directory]
    environment = {"PATH": os.defpath}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=20)
    assert done.returncode == 0
    return done.stderr


@pytest.mark.lab
def test_a_host_answers_for_every_address_after_anyip_up_and_for_none_after_down() -> None:
    """In a network of its own, twice up, as after a unit that was killed."""
    doctor = f"{_POSTERN} doctor --member --json"
    script = f"""
        ip link add eth0 type veth peer name far && ip link set eth0 up && ip link set lo up
        ip route add default dev eth0
        {UNITS}/anyip up eth0 && {UNITS}/anyip up eth0
        ip -4 rule | grep -c 'iif eth0' ; ip route get 203.0.113.7 from 198.51.100.1 iif eth0
        {doctor} > /dev/null && echo ready
        {UNITS}/anyip down eth0
        ip -4 rule | grep -c 'iif eth0'
        {UNITS}/anyip up eth7 || echo refused
    """
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", script],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    lines = done.stdout.split("\n")
    assert lines[0] == "1", done
    assert lines[1].startswith("local 203.0.113.7")
    assert lines[-4:] == ["ready", "0", "refused", ""], done


@pytest.mark.lab
def test_a_host_without_ipv6_answers_for_ipv4_and_is_ready_for_it() -> None:
    doctor = f"{_POSTERN} doctor --member"
    script = f"""
        ip link add eth0 type veth peer name far && ip link set eth0 up && ip link set lo up
        ip route add default dev eth0
        {UNITS}/anyip up eth0 && {doctor} > /dev/null && echo ready
    """
    done = subprocess.run(
        [WITHOUT, "ipv6-addresses", "bash", "-c", script],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.stdout == "ready\n", done
    assert "IPv4 addresses only" in done.stderr
