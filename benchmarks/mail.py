"""The mail gateway beside Postfix as a before-queue proxy (smtpd_proxy_filter): same load, same sink.

    make bench-mail        or: python -m benchmarks.mail [--messages N] [--rounds N]

Each message of 5 KiB has a connection of its own. Neither scans: only
relaying is measured. Postfix's smtp-source sends, its smtp-sink receives, all on loopback.
Two figures are given: messages per second, and messages per second of processor time
that the relay itself used, which is what "per core" means when relays have
different numbers of processes. Needs root, because Postfix's master does.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.report import Comparison, Report
from common import entry
from lab import processes

_ROOT = Path(__file__).parents[1]
_OUT = _ROOT / "build" / "benchmarks" / "mail.json"
_ADDRESS = "127.0.1.10"
_SINK, _GATEWAY, _POSTFIX = 2526, 2525, 2527
_SIZE_BYTES = 5 * 1024
_WANTED = 1.0  # faster per core; the goal is twice as fast
_MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
myhostname = edge.example
inet_interfaces = loopback-only
inet_protocols = ipv4
smtpd_peername_lookup = no
disable_dns_lookups = yes
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtpd_proxy_filter = {address}:{sink}
smtpd_proxy_options = speed_adjust
default_process_limit = 100
"""
_MASTER_CF = """\
{port} inet n - n - - smtpd
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.mail", description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=int, default=3000, help="messages in a round (default: 3000)")
    parser.add_argument("--sessions", type=int, default=20, help="concurrent sessions (default: 20)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each, in turns (default: 3)")
    parser.add_argument("--out", type=Path, default=_OUT, help=f"JSON file (default: {_OUT})")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/tmp")))
        home.chmod(0o755)
        stack.enter_context(_program(["smtp-sink", "-u", "nobody", f"{_ADDRESS}:{_SINK}", "1000"], _SINK))
        relays = {
            "gateway": (_GATEWAY, stack.enter_context(_gateway(home / "gateway"))),
            "Postfix": (_POSTFIX, stack.enter_context(_postfix(home / "postfix"))),
        }
        rates: dict[str, list[float]] = {name: [] for name in relays}
        per_core: dict[str, list[float]] = {name: [] for name in relays}
        for port, _ in relays.values():
            _send(port, arguments.messages // 10, arguments.sessions)
        for _ in range(arguments.rounds):
            for name, (port, cpu_s) in relays.items():
                spent, passed = cpu_s(), _send(port, arguments.messages, arguments.sessions)
                rates[name].append(arguments.messages / passed)
                per_core[name].append(arguments.messages / (cpu_s() - spent))
                print(
                    f"  {name}: {rates[name][-1]:,.0f} messages/s, {per_core[name][-1]:,.0f} per core-second"
                )
    report = Report("mail gateway beside Postfix smtpd_proxy_filter")
    peer = "smtpd_proxy_filter"
    report.comparisons = [
        Comparison(
            "mail per core", "messages/core-second", peer, per_core["gateway"], per_core["Postfix"], _WANTED
        ),
        Comparison("mail, two cores", "messages/s", peer, rates["gateway"], rates["Postfix"], _WANTED),
    ]
    report.write(arguments.out)
    return 0 if report.comparisons[0].is_reached else 1


def _send(port: int, count: int, sessions: int) -> float:
    """Send messages, each on a connection of its own; return the seconds that this took.

    Raise `RuntimeError` if one failed.
    """
    command = ["smtp-source", "-4", "-m", str(count), "-s", str(sessions), "-l", str(_SIZE_BYTES)]
    command += ["-f", "a@sender.example", "-t", "b@acme.example", f"{_ADDRESS}:{port}"]
    begun = time.monotonic()
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=300)
    if done.returncode:
        raise RuntimeError(f"smtp-source: {done.stderr.strip()}")
    return time.monotonic() - begun


def _cpu_s_of(leader: int) -> Callable[[], float]:
    """Return a function that returns the processor time of a process and its descendants, even ended ones."""

    def measure() -> float:
        pids = [leader, *(found.pid for found in processes.descendants([processes.identify(leader)]))]
        return sum(_ticks(pid) for pid in pids) / os.sysconf("SC_CLK_TCK")

    return measure


def _ticks(pid: int) -> int:
    """Return user and system time, with that of children waited for (proc(5), fields 14 to 17)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


@contextmanager
def _gateway(home: Path) -> Iterator[Callable[[], float]]:
    home.mkdir()
    tenant = {
        "name": "acme",
        "prefixes": ["127.0.1.0/24"],
        "servers": [_ADDRESS],
        "server_port": _SINK,
        "scan": [{"action": "skip"}],
        "scanners": [],
        "message_limit_bytes": 1_000_000,
    }
    settings = {
        "format": 1,
        "revision": 1,
        "role": "proxy",
        "pool": "bench",
        "port": _GATEWAY,
        "transparent": False,
        "tenants": [tenant],
    }
    file = home / "settings.json"
    file.write_text(json.dumps(settings), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "services.mail.main",
        "--settings",
        str(file),
        "--state-dir",
        str(home / "state"),
    ]
    with _program([*command, "--log", str(home / "journal"), "--name", "bench"], _GATEWAY) as process:
        yield _cpu_s_of(process.pid)


@contextmanager
def _postfix(home: Path) -> Iterator[Callable[[], float]]:
    for directory, owner in (("etc", "root"), ("queue", "root"), ("data", "postfix")):
        (home / directory).mkdir(parents=True)
        shutil.chown(home / directory, owner)
    words = {"home": home, "address": _ADDRESS, "sink": _SINK, "port": f"{_ADDRESS}:{_POSTFIX}"}
    (home / "etc" / "main.cf").write_text(_MAIN_CF.format(**words), encoding="utf-8")
    (home / "etc" / "master.cf").write_text(_MASTER_CF.format(**words), encoding="utf-8")
    with _program(["postfix", "-c", str(home / "etc"), "start-fg"], _POSTFIX) as process:
        yield _cpu_s_of(process.pid)


@contextmanager
def _program(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that serves a port; end it, and what it started, afterwards."""
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        _await(port, process)
        yield process
    finally:
        processes.end([processes.identify(process.pid)])
        process.wait()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex((_ADDRESS, port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen at port {port}")


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("benchmarks.mail", main)


if __name__ == "__main__":
    sys.exit(run())
