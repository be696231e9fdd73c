"""A real Open vSwitch on the dummy datapath, in a directory of its own, without root."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from controller.drift.bridge_settings import set_up

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class DummyOvs:
    """ovsdb-server and ovs-vswitchd of our own; nothing of the machine's own OVS is touched."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._database = f"unix:{directory}/db.sock"

    def start(self) -> None:
        here = self.directory
        self._run("ovsdb-tool", "create", f"{here}/conf.db", SCHEMA)
        self.start_database()
        self.vsctl("--no-wait", "init")
        self.start_switches()

    def start_database(self) -> None:
        here = self.directory
        self._run(
            "ovsdb-server",
            f"{here}/conf.db",
            f"--remote=p{self._database}",
            f"--pidfile={here}/ovsdb.pid",
            f"--unixctl={here}/ovsdb.ctl",
            "--detach",
            "--no-chdir",
            f"--log-file={here}/ovs.log",
            "-vconsole:off",
        )

    def start_switches(self) -> None:
        here = self.directory
        self._run(
            "ovs-vswitchd",
            self._database,
            "--enable-dummy=override",
            "--disable-system",
            f"--pidfile={here}/vswitchd.pid",
            f"--unixctl={here}/vswitchd.ctl",
            "--detach",
            "--no-chdir",
            f"--log-file={here}/ovs.log",
            "-vconsole:off",
        )

    def stop_database(self) -> None:
        self._stop("ovsdb.pid")

    def signal_database(self, number: int) -> None:
        os.kill(int((self.directory / "ovsdb.pid").read_text(encoding="utf-8")), number)

    def signal_switches(self, number: int) -> None:
        os.kill(int((self.directory / "vswitchd.pid").read_text(encoding="utf-8")), number)

    def stop_switches(self) -> None:
        self._stop("vswitchd.pid")

    def stop(self) -> None:
        self._stop("vswitchd.pid")
        self._stop("ovsdb.pid")

    def add_bridge(self, name: str, dpid: int, ports: int) -> None:
        self.vsctl("add-br", name, "--", *set_up(name).split(), "datapath_type=dummy",
                   f"other-config:datapath-id={dpid:016x}")  # fmt: skip
        for number in range(1, ports + 1):
            port = f"{name}p{number}"
            self.vsctl("add-port", name, port, "--", "set", "interface", port, "type=dummy",
                       f"ofport_request={number}")  # fmt: skip

    def vsctl(self, *arguments: str) -> str:
        return self._run("ovs-vsctl", f"--db={self._database}", *arguments)

    def ofctl(self, command: str, bridge: str, *arguments: str) -> str:
        flags = [a for a in arguments if a.startswith("--")]
        rest = [a for a in arguments if not a.startswith("--")]
        return self._run("ovs-ofctl", "-O", "OpenFlow14", *flags, command, self.socket(bridge), *rest)

    def appctl(self, *arguments: str) -> str:
        return self._run("ovs-appctl", "-t", f"{self.directory}/vswitchd.ctl", *arguments)

    def empty_caches(self) -> None:
        """Empty what the switch has cached, so that packets meet its tables: caches follow a moment late."""
        self.appctl("revalidator/purge")

    def set_port(self, port: str, state: str) -> None:
        """Bring a port of the dummy datapath `up` or `down`; return when packets meet it so."""
        self.appctl("netdev-dummy/set-admin-state", port, state)
        self.await_port(port, "LINK_DOWN", is_so=state == "down")

    def await_port(self, port: str, state: str, *, is_so: bool) -> None:
        bridge = port.partition("p")[0]
        deadline = time.monotonic() + 30
        while (state in self._port(bridge, port)) is not is_so:
            assert time.monotonic() < deadline, self._port(bridge, port)
            time.sleep(0.01)
        self.empty_caches()

    def _port(self, bridge: str, port: str) -> str:
        """Return the lines about one port: its name, then its configuration and its state."""
        return self.ofctl("show", bridge).partition(f"({port})")[2].partition("speed:")[0]

    def socket(self, bridge: str) -> str:
        return f"unix:{self.directory}/{bridge}.mgmt"

    def management_socket(self, bridge: str) -> Path:
        return self.directory / f"{bridge}.mgmt"

    def _run(self, *command: str) -> str:
        here = str(self.directory)
        surroundings = {**os.environ, "OVS_RUNDIR": here, "OVS_DBDIR": here, "OVS_LOGDIR": here}
        done = subprocess.run(command, env=surroundings, capture_output=True, encoding="utf-8", timeout=30)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}{done.stdout}"
        return done.stdout

    def _stop(self, pid_file: str) -> None:
        path = self.directory / pid_file
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pid = int(path.read_text(encoding="utf-8"))
            os.kill(pid, signal.SIGTERM)
            for _ in range(100):
                if not _is_running(pid):
                    return
                time.sleep(0.02)
            os.kill(pid, signal.SIGKILL)


def _is_running(pid: int) -> bool:
    """Say whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
