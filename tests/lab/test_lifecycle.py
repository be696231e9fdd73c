"""The lab comes up, goes down, and leaves nothing, whatever happens on the way."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab import namespaces, processes
from lab.errors import LabError
from lab.lab import Lab
from lab.paths import REPOSITORY, LabPaths
from lab.services import mailservers
from tests.antivirus.conftest import open_to_others
from tests.lab.conftest import POLICY
from tests.setup.clamd import Clamd

pytestmark = pytest.mark.lab


@pytest.fixture
def foreign_bridge() -> Iterator[str]:
    """A bridge of somebody else that bears the name of ours."""
    _vsctl("add-br", "s1", "--", "set", "Bridge", "s1", "datapath_type=netdev", "external_ids:whose=theirs")
    yield "s1"
    _vsctl("del-br", "s1")


def _vsctl(*words: str) -> str:
    done = subprocess.run(["ovs-vsctl", "--timeout=10", *words], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout


def _interfaces() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir()}


def _leftovers(lab: Lab, owner: str) -> dict[str, object]:
    """Return whatever a lab could have left behind; every value is empty if it left nothing."""
    return {
        "processes": [pid for pid in processes.carrying(owner) if processes.identify(pid).is_alive],
        "bridges": [name for name in _vsctl("list-br").split() if name == "s1"],
        "interfaces": [name for name in _interfaces() if re.fullmatch(r"s1(-eth\d+)?", name)],
        "mounts": [
            line
            for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
            if str(lab.places.root) in line
        ],
        "files": [lab.places.root] if lab.places.root.exists() else [],
    }


_NOTHING: dict[str, list[str]] = {"processes": [], "bridges": [], "interfaces": [], "mounts": [], "files": []}


def _owner(lab: Lab) -> str:
    return lab._record().owner


def _command(lab: Lab, *words: str) -> subprocess.Popen[str]:
    """Run `postern lab` as a user does, in a process of its own."""
    return subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-m", "cli.main", "lab", *words],
        env={**os.environ, "POSTERN_LAB_DIR": str(lab.places.root)},
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def _run(lab: Lab, *words: str) -> tuple[int, str]:
    with _command(lab, *words) as process:
        said, _ = process.communicate(timeout=60)
        return process.returncode, said


def _await_bridge() -> None:
    deadline = time.monotonic() + 60
    while "s1" not in _vsctl("list-br").split() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_down_leaves_nothing(bare: Lab) -> None:
    bare.up("demo", POLICY)
    owner = _owner(bare)
    assert all(_leftovers(bare, owner).values())
    assert bare.down()
    assert _leftovers(bare, owner) == _NOTHING
    assert not bare.down()


def test_every_part_is_healthy_after_up(bare: Lab) -> None:
    bare.up("demo", POLICY)
    found = bare.status()
    assert {row.part.name: row.problem for row in found if row.problem} == {}
    assert {"controller", "network", "acme-mx.postfix", "scanner2.clamd", "proxy1.mail", "scanner1.mail"} <= {
        row.part.name for row in found
    }


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_up_leaves_nothing(bare: Lab, signal_number: int) -> None:
    with _command(bare, "up", "demo") as process:
        _await_bridge()
        owner = _owner(bare)
        process.send_signal(signal_number)
        process.communicate(timeout=30)
        assert process.returncode == 130
    assert _leftovers(bare, owner) == _NOTHING


@pytest.mark.parametrize("delay_s", [0.0, 0.8])
def test_the_next_up_cleans_what_a_killed_one_left(bare: Lab, delay_s: float) -> None:
    with _command(bare, "up", "demo") as process:
        _await_bridge()
        time.sleep(delay_s)
        owner = _owner(bare)
        process.kill()
        process.communicate(timeout=30)
    bare.up("demo", POLICY)
    assert [pid for pid in processes.carrying(owner) if processes.identify(pid).is_alive] == []
    assert _owner(bare) != owner


@pytest.mark.parametrize("neighbour", ["test-lab", "other-lab"], ids=["its own", "another"])
def test_the_next_up_clears_away_an_attended_lab_whose_attendant_was_killed(
    bare: Lab, neighbour: str
) -> None:
    left = Lab(LabPaths(bare.places.root.with_name(neighbour)))
    code = (
        "import os, signal; from pathlib import Path\n"
        "from lab.lab import Lab; from lab.paths import LabPaths\n"
        f"lab = Lab(LabPaths(Path({str(left.places.root)!r})), is_attended=True)\n"
        f"lab.up('demo', Path({str(POLICY)!r}))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    try:
        done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True)
        assert done.returncode == -signal.SIGKILL
        owner = _owner(left)
        bare.up("demo", POLICY)
        assert [pid for pid in processes.carrying(owner) if processes.identify(pid).is_alive] == []
        assert all(not row.problem for row in bare.status())
    finally:
        if left.places != bare.places:
            left.down()
            left.places.lock.unlink(missing_ok=True)


def test_up_leaves_alone_a_lab_elsewhere_that_is_kept(bare: Lab) -> None:
    kept = Lab(LabPaths(bare.places.root.with_name("other-lab")))
    kept.up("demo", POLICY)
    try:
        with pytest.raises(LabError, match="belongs to the lab in"):
            bare.up("demo", POLICY)
        assert all(not row.problem for row in kept.status())
    finally:
        kept.down()
        kept.places.lock.unlink(missing_ok=True)


def test_up_after_the_network_died_cleans_and_begins_anew(bare: Lab) -> None:
    bare.up("demo", POLICY)
    network = next(row.process for row in bare.status() if row.part.name == "network")
    assert network is not None
    os.kill(network.pid, signal.SIGKILL)
    processes.end([network])
    bare.up("demo", POLICY)
    assert all(not row.problem for row in bare.status())


def test_a_second_up_is_refused_and_harms_nothing(lab: Lab) -> None:
    code, said = _run(lab, "up", "demo")
    assert code == 1
    assert "a lab is already up" in said
    assert all(not row.problem for row in lab.status())


def test_a_foreign_bridge_is_named_and_left_alone(bare: Lab, foreign_bridge: str) -> None:
    uuid = _vsctl("get", "Bridge", foreign_bridge, "_uuid")
    with pytest.raises(LabError, match="another program uses Open vSwitch: bridge s1"):
        bare.up("demo", POLICY)
    bare.down()
    assert _vsctl("get", "Bridge", foreign_bridge, "_uuid") == uuid


def test_mininet_itself_refuses_a_foreign_bridge(bare: Lab, foreign_bridge: str) -> None:
    uuid = _vsctl("get", "Bridge", foreign_bridge, "_uuid")
    done = subprocess.run(
        ["mn", "--custom", str(REPOSITORY / "mininet_topos" / "demo.py"), "--topo", "demo"],
        input="exit\n",
        capture_output=True,
        encoding="utf-8",
        cwd="/",
        timeout=60,
    )
    assert done.returncode != 0
    assert "is not Postern's" in done.stdout + done.stderr
    assert _vsctl("get", "Bridge", foreign_bridge, "_uuid") == uuid


@pytest.mark.parametrize("topology", ["minimal", "demo", "ring", "leafspine"])
def test_mininet_itself_loads_each_topology_and_leaves_nothing(bare: Lab, topology: str) -> None:
    file = REPOSITORY / "mininet_topos" / f"{topology}.py"
    arguments = ["--custom", str(file), "--topo", topology, "--controller", "remote,port=6653"]
    done = subprocess.run(
        ["mn", *arguments], input="exit\n", capture_output=True, encoding="utf-8", cwd="/", timeout=100
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [name for name in _interfaces() if re.fullmatch(r"s\d+-eth\d+", name)]


def test_a_foreign_interface_is_named_and_left_alone(bare: Lab) -> None:
    subprocess.run(["ip", "link", "add", "s1-eth1", "type", "veth", "peer", "name", "theirs"], check=True)
    try:
        with pytest.raises(LabError, match="interface s1-eth1 exists and is not the lab's"):
            bare.up("demo", POLICY)
        assert "s1-eth1" in _interfaces()
    finally:
        subprocess.run(["ip", "link", "del", "s1-eth1"], check=True)


@pytest.fixture
def others_services(tmp_path: Path) -> Iterator[Callable[[], list[str]]]:
    """A real nginx, clamd and Postfix of somebody else at their usual ports; yield what asks each of them."""
    open_to_others(tmp_path)
    web, mail = tmp_path / "nginx.conf", tmp_path / "postfix"
    web.write_text(
        f"pid {tmp_path}/nginx.pid; error_log {tmp_path}/nginx.log; events {{}}\n"
        "http { access_log off; server { listen 80; return 200 theirs; } }\n",
        encoding="utf-8",
    )
    mailservers._prepare(mail, "theirs.example")
    (tmp_path / "clamd").mkdir()
    clamd = Clamd(tmp_path / "clamd")
    clamd.port = 3310

    def ask() -> list[str]:
        with socket.create_connection(("127.0.0.1", 25), 10) as connection:
            greeting = connection.makefile("rb").readline().decode().strip()
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open("http://127.0.0.1/", timeout=10) as page:
            return [greeting, page.read().decode(), clamd.command("PING")]

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, timeout=30)

    with ExitStack() as stack:
        clamd.start()
        stack.callback(clamd.stop)
        run("nginx", "-c", str(web))
        stack.callback(run, "nginx", "-c", str(web), "-s", "stop")
        run("postfix", "-c", str(mail / "etc"), "start")
        stack.callback(run, "postfix", "-c", str(mail / "etc"), "stop")
        yield ask


def test_services_of_somebody_else_at_the_same_ports_stay_up_and_disturb_nothing(
    bare: Lab, others_services: Callable[[], list[str]]
) -> None:
    theirs = others_services()
    assert theirs[0].startswith("220 mx.theirs.example") and theirs[1:] == ["theirs", "PONG"]
    bare.up("demo", POLICY)
    assert others_services() == theirs
    assert [row.problem for row in bare.status() if row.problem] == []
    bare.down()
    assert others_services() == theirs


def test_a_taken_openflow_port_is_named(bare: Lab) -> None:
    with (
        socket.create_server(("127.0.0.1", 6653)),
        pytest.raises(LabError, match=r"127\.0\.0\.1:6653 is in use"),
    ):
        bare.up("demo", POLICY)


def test_a_policy_that_does_not_fit_the_topology_is_refused_with_every_reason(
    bare: Lab, tmp_path: Path
) -> None:
    text = (
        POLICY.read_text(encoding="utf-8")
        .replace("s1:4", "s1:14")
        .replace("02:dd:00:00:00:02", "02:dd:00:00:00:99")
    )
    (tmp_path / "other.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(LabError) as caught:
        bare.up("demo", tmp_path / "other.yaml")
    assert "proxy1" in str(caught.value)
    assert "scanner2" in str(caught.value)
    assert not bare.places.root.exists()


def test_exec_keeps_exit_code_and_standard_input(lab: Lab) -> None:
    words = lab.command_in("sender", ["sh", "-c", "cat; exit 7"])
    done = subprocess.run(words, input="hello", capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stdout) == (7, "hello")


def test_exec_in_a_host_that_is_not_there_names_those_that_are(lab: Lab) -> None:
    code, said = _run(lab, "exec", "nobody", "--", "true")
    assert code == 1
    assert "the lab has no host 'nobody'" in said
    assert "acme-mx" in said


def test_every_host_resolves_the_edge_by_itself(lab: Lab) -> None:
    """No static neighbour entry anywhere: ARP and neighbour discovery are answered by the switch."""
    for host in ("bbr", "acme-gw", "globex-gw", "proxy1", "scanner2"):
        pin = lab.places.pin(host)
        namespaces.run_inside(pin, ["ip", "neigh", "flush", "all"])
        for family, route in (("-4", "1.1.1.1"), ("-6", "2001:db8:ffff::1")):
            namespaces.run_inside(pin, ["ping", family, "-c1", "-W1", route])
        said = namespaces.run_inside(pin, ["ip", "neigh"]).stdout
        assert len(re.findall(r"lladdr 02:50:00:00:00:01", said)) == 2, said
        assert "PERMANENT" not in said
