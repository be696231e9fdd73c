"""A wheel that was installed into an empty environment runs every program, with its data files inside."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.antivirus.builder.store import Store
from tests.antivirus.conftest import Server, await_that, open_to_others
from tests.cowrie import conftest as cowries
from tests.decoy import running as decoys
from tests.mail.conftest import free_port, stop, wait_for_port
from tests.mail.scripted import Client, ScriptedServer
from tests.setup.wheel import REPOSITORY, Environment, Wheel, build, files_of_the_repository, install
from tests.uplink.conftest import Controller

# Whichever test comes first builds the wheel and installs it.
pytestmark = [pytest.mark.programs, pytest.mark.timeout(600)]

_OURS = ("apps", "cli", "common", "controller", "lab", "mininet_topos", "services", "deploy", "policies")
_LEFT_OUT = {
    "tests/": "needs a checkout",
    "benchmarks/": "needs a checkout",
    ".ci/": "is for the repository",
    "policies/invalid/": "shows mistakes, for tests and readers",
    "deploy/setup/environment": "makes the environment of a checkout",
    "deploy/setup/lock": "pins packages for the repository",
    "deploy/setup/setup": "is `make setup`",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Wheel:
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Wheel, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    root = tmp_path_factory.mktemp("environment")
    return install(wheel, root)


def files_to_be_there() -> list[str]:
    return [name for name in files_of_the_repository() if "/" in name and not is_left_out(name)]


def is_left_out(name: str) -> bool:
    return any(name == each or (each.endswith("/") and name.startswith(each)) for each in _LEFT_OUT)


def place_in_wheel(name: str) -> str:
    return re.sub(r"^docs/", "share/doc/postern/", name)


def test_a_file_of_the_repository_is_missing_in_the_wheel(wheel: Wheel) -> None:
    assert not sorted({*map(place_in_wheel, files_to_be_there())} - wheel.names())


def test_a_wheel_brings_what_is_left_out_for_a_reason_or_was_left_by_an_earlier_build(wheel: Wheel) -> None:
    wanted = {*map(place_in_wheel, files_to_be_there()), "postern-ryu.pth"}
    assert not sorted(name for name in wheel.names() - wanted if ".dist-info/" not in name)


def test_scripts_of_the_wheel_can_be_executed(installed: Environment) -> None:
    scripts = [name for name in files_to_be_there() if os.access(REPOSITORY / name, os.X_OK)]
    there = [installed.code / name for name in scripts]
    assert installed.code / "deploy/systemd/anyip" in there
    assert [path for path in there if not os.access(path, os.X_OK)] == []


def test_programs_of_the_wheel_run_its_own_code(installed: Environment, tmp_path: Path) -> None:
    """And neither that of the checkout nor what lies where they are started."""
    (tmp_path / "services").mkdir()
    (tmp_path / "services/__init__.py").write_text("raise SystemExit('not this one')", encoding="utf-8")
    code = f"import {', '.join(_OURS)}; print(*(list(each.__path__)[0] for each in ({', '.join(_OURS)})))"
    done = installed.run(installed.python, "-P", "-c", code, cwd=tmp_path)
    assert done.stdout.split() == [str(installed.code / name) for name in _OURS], done
    done = installed.run(*installed.program("postern"), "av", "status", "--help", cwd=tmp_path)
    assert "usage: postern av status" in done.stdout, done


def test_every_program_of_the_wheel_explains_itself(
    wheel: Wheel, installed: Environment, tmp_path: Path
) -> None:
    assert {"postern", "postern-controller", "postern-cowrie", "postern-antivirus"} <= set(wheel.programs())
    for name in wheel.programs():
        done = installed.run(*installed.program(name), "--help", cwd=tmp_path)
        assert (done.returncode, done.stdout[: len(name) + 8]) == (0, f"usage: {name} "), done


@pytest.fixture(params=["ryu-manager", "postern-controller"])
def controller(
    request: pytest.FixtureRequest, installed: Environment, tmp_path: Path
) -> Iterator[Controller]:
    """One that a user starts by Ryu's own command, and one by ours."""
    ryu_manager = str(Path(sys.executable).parent / "ryu-manager")
    by_name = {
        "ryu-manager": (installed.python, ryu_manager, str(installed.code / "apps/edge.py")),
        "postern-controller": installed.program("postern-controller"),
    }
    policy = installed.code / "policies/minimal.yaml"
    running = Controller(tmp_path, by_name[request.param], policy, installed.variables)
    yield running
    running.stop()


def test_the_controller_of_the_wheel_carries_out_a_policy_of_the_wheel(controller: Controller) -> None:
    controller.start()
    status = controller.api.get("/v1/status")
    assert (status["revision"], [row["name"] for row in status["switches"]]) == (1, ["s1"])


def test_a_controller_without_a_policy_says_what_to_set(installed: Environment, tmp_path: Path) -> None:
    done = installed.run(*installed.program("postern-controller"), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("remedy: set POSTERN_POLICY to the policy file")


def test_the_gateway_of_the_wheel_relays_mail(installed: Environment, tmp_path: Path) -> None:
    server, port = ScriptedServer(), free_port()
    tenant: dict[str, object] = {"name": "acme", "prefixes": ["127.0.1.0/24"], "servers": ["127.0.1.10"]}
    tenant |= {"server_port": server.port, "scan": [{"action": "skip"}], "scanners": []}
    settings: dict[str, object] = {
        "format": 1,
        "revision": 1,
        "role": "proxy",
        "pool": "p",
        "port": port,
        "transparent": False,
    }
    settings |= {"hostname": "edge.example", "state_dir": str(tmp_path / "state")}
    tenant |= {"message_limit_bytes": 100_000}
    (tmp_path / "settings.json").write_text(json.dumps(settings | {"tenants": [tenant]}), encoding="utf-8")
    command = [
        *installed.program("postern-mail"),
        "--settings",
        "settings.json",
        "--log",
        "log",
        "--grace",
        "1s",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, env=installed.variables)
    try:
        wait_for_port("127.0.1.10", port, process)
        client = Client(port)
        assert client.message(b"Subject: hello\r\n\r\nhello")[:3] == "250"
        client.close()
        assert b"Subject: hello" in server.messages[0]
    finally:
        stop(process)
        server.close()


def test_the_decoy_of_the_wheel_answers_as_its_persona(installed: Environment, tmp_path: Path) -> None:
    program, variables = installed.program("postern-decoy"), installed.variables
    decoy = decoys.Running(tmp_path, program=program, environment=variables)
    decoy.begin()
    try:
        assert decoy.client(decoys.MX, decoys.SMTP).hear().startswith(b"220 mx.acme.example")
    finally:
        decoy.close()


@pytest.mark.cowrie
def test_the_cowrie_of_the_wheel_lets_an_attacker_in(installed: Environment, tmp_path: Path) -> None:
    environment = os.environ.get("POSTERN_COWRIE_VENV", str(REPOSITORY / ".venv-cowrie"))
    variables = {**installed.variables, "POSTERN_COWRIE_VENV": environment}
    program = installed.program("postern-cowrie")
    decoy = cowries.begin(tmp_path / "decoy", program=program, environment=variables)
    try:
        assert "mail1" in decoy.ssh("hostname").stdout
    finally:
        stop(decoy.process)


def test_a_missing_cowrie_is_named_with_the_script_that_makes_it(
    installed: Environment, tmp_path: Path
) -> None:
    words = [
        word for name in ("settings", "personas", "spool") for word in (f"--{name}", str(tmp_path / name))
    ]
    done = installed.run(*installed.program("postern-cowrie"), *words, cwd=tmp_path)
    assert done.returncode == 1
    assert f"remedy: {installed.code}/deploy/setup/cowrie-environment, or set" in done.stderr


def test_the_antivirus_server_of_the_wheel_serves_what_its_builder_publishes(
    installed: Environment, tmp_path: Path
) -> None:
    open_to_others(tmp_path)
    store = Store(tmp_path / "store")
    words = ["--store", str(store.root), "publish", "--at-once", "--reason", "the first"]
    done = installed.run(*installed.program("postern-av"), *words, cwd=tmp_path)
    assert done.returncode == 0, done
    program, variables = installed.program("postern-antivirus"), installed.variables
    server = Server(store, tmp_path / "av1", free_port(), program=program, environment=variables)
    try:
        server.start()
        await_that(lambda: server.generation() == 1, "the first generation is served")
        samples = (installed.code / "deploy/clamav/signatures/postern-test.ndb").read_bytes().split()
        assert samples
        assert set(samples) <= set(server.get("/database/postern.ndb").body.split())
    finally:
        server.stop()


def test_the_units_of_the_wheel_start_programs_of_its_environment(
    installed: Environment, tmp_path: Path
) -> None:
    done = installed.run(installed.code / "deploy/systemd/install", tmp_path / "units", cwd=tmp_path)
    assert done.returncode == 0, done
    text = "".join(unit.read_text(encoding="utf-8") for unit in (tmp_path / "units").glob("*.service"))
    assert f"ExecStart={installed.root}/bin/postern-controller --ofp-listen-host " in text
    paths = re.findall(r"(?:^Exec\w+=|file:)(/\S+)", text, re.MULTILINE)
    assert [path for path in paths if not path.startswith((f"{installed.root}/", "/bin/kill"))] == []
    assert [path for path in paths if not Path(path).exists()] == []


def test_mininet_takes_the_topologies_of_the_wheel(installed: Environment, tmp_path: Path) -> None:
    """In the system's Python, for which nothing of the environment is meant."""
    for file in sorted((installed.code / "policies").glob("*.yaml")):
        topology = installed.code / "mininet_topos" / f"{file.stem}.py"
        code = f"import runpy; print(*runpy.run_path({str(topology)!r})['topos'])"
        assert installed.run("/usr/bin/python3", "-c", code, cwd=tmp_path).stdout.split() == [file.stem]
