"""Anti-virus: time until the whole fleet uses a new signature, its cost, and its effect on mail.

    sudo make bench-antivirus    or: python -m benchmarks.antivirus [--clients N] [--rounds N]

Brings the demo's lab up, and starts real agents with a directory of their own each, spread
over the hosts of both intranets. Times begin with `postern av immunize`, so the canary's
test is part of them, and end when the last agent has verified, installed and recorded the
generation, and every clamd of the scanners detects its marker. The peer is freshclam, which
polls (12 times a day by default) and fetches each of Postern's changed files as a whole.
"""

import argparse
import json
import os
import random
import smtplib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.report import Limit, Report
from common import entry
from lab import namespaces
from lab.lab import Lab
from lab.messages import Content, build
from lab.paths import REPOSITORY, LabPaths
from lab.services import antivirus

_POLICY = REPOSITORY / "policies" / "demo.yaml"
_OUT = REPOSITORY / "build" / "benchmarks" / "antivirus.json"
_HOSTS = ("acme-pc", "acme-lap", "globex-pc", "globex-lap")
_VIP = "192.0.2.120"
_SIGNATURES = 3_000  # our own signatures, published before
_SERVER, _SENDER, _RECIPIENT = "203.0.113.10", "bench@sender.example", "alice@acme.example"
_PATIENCE_S = 120.0
_LIVE_S, _BYTES, _LATENCY = 5.0, 20 * 1024, 1.10
_FRESHCLAM_POLLS_EVERY_S = 7_200.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.antivirus", description=__doc__.split("\n")[0])
    parser.add_argument("--clients", type=int, default=100, help="real agents (default: 100)")
    parser.add_argument("--rounds", type=int, default=5, help="published generations (default: 5)")
    parser.add_argument("--storm", type=int, default=1_000, help="clients that wait at once (default: 1,000)")
    parser.add_argument(
        "--messages", type=int, default=60, help="messages for each latency, sent one by one (default: 60)"
    )
    parser.add_argument("--out", type=Path, default=_OUT, help=f"JSON file (default: {_OUT})")
    arguments = parser.parse_args()
    report = Report("anti-virus fleet")
    lab = Lab(LabPaths(Path("/run/postern/bench-lab")), is_attended=True)
    try:
        lab.up("demo", _POLICY, print)
        _publish_many(lab)
        with _agents(lab, arguments.clients) as homes:
            rounds = [_round(lab, homes) for _ in range(arguments.rounds)]
        fetched = max(cost for _, cost in rounds)
        whole = _freshclam(lab)
        report.limits = [
            Limit(
                f"publish to {len(homes)} agents and all scanners, last one",
                "s",
                [s for s, _ in rounds],
                _LIVE_S,
            ),
            Limit("bytes for one more signature, worst agent", "bytes", [float(fetched)], _BYTES),
            Limit("the same, compared with freshclam", "times", [fetched / whole], 1.0),
            _storm(lab, arguments),
        ]
    finally:
        lab.down()
    report.facts["freshclam_bytes"] = whole
    report.facts["freshclam_polls_every_s"] = _FRESHCLAM_POLLS_EVERY_S
    report.write(arguments.out)
    return 0 if report.is_reached else 1


def _builder(lab: Lab, *arguments: str) -> None:
    command = antivirus.builder_command(lab.places, *arguments)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)


def _generation(lab: Lab) -> int:
    command = antivirus.builder_command(lab.places, "status", "--json")
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)
    return int(json.loads(done.stdout)["rings"]["all"]["generation"])


def _publish_many(lab: Lab) -> None:
    """A set large enough that fetching all of it would show."""
    store = antivirus.store(lab.places)
    entries = [
        {"name": f"Postern.Bench.{number}", "kind": "pattern", "text": f"0:*:{random.randbytes(60).hex()}",
         "reason": "benchmark", "added": "2026-01-01T00:00:00Z", "by": "benchmark"}
        for number in range(_SIGNATURES)
    ]  # fmt: skip
    (store / "own.json").write_text(json.dumps(entries), encoding="utf-8")
    _builder(lab, "publish", "--at-once")


@contextmanager
def _agents(lab: Lab, count: int) -> Iterator[list[Path]]:
    """Agents that have the present generation and wait for the next one."""
    root = lab.places.home("bench")
    key = antivirus.store(lab.places) / "keys" / "postern-av.pub"
    homes = [root / f"{_HOSTS[number % len(_HOSTS)]}-{number}" for number in range(count)]
    running = []
    try:
        for number, home in enumerate(homes):
            (home / "database").mkdir(parents=True)
            (home / "state").mkdir()
            command = [sys.executable, "-m", "services.antivirus.agent.main", "--server", f"http://{_VIP}"]
            command += ["--database", str(home / "database"), "--state", str(home / "state")]
            command += ["--public-key", str(key), "--name", home.name, "--log", str(home / "log")]
            inside = lab.command_in(_HOSTS[number % len(_HOSTS)], command)
            running.append(subprocess.Popen(inside, cwd=REPOSITORY))
        _await_all(lab, homes, _generation(lab))
        print(f"  {count} agents are current")
        yield homes
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(30)


def _await_all(lab: Lab, homes: list[Path], generation: int) -> None:
    """Return when all agents, including those of the scanners, have recorded a generation."""
    scanners = [lab.places.home(f"{name}.av-agent") for name in ("scanner1", "scanner2")]
    waiting = [*(home / "state" for home in homes), *scanners]
    deadline = time.monotonic() + _PATIENCE_S
    while waiting := [state for state in waiting if _remembered(state) != generation]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(waiting)} never became current, {waiting[0]} for one")
        time.sleep(0.02)


def _remembered(state: Path) -> int:
    try:
        return int(json.loads((state / "state.json").read_bytes())["generation"])
    except (OSError, ValueError):
        return 0


def _round(lab: Lab, homes: list[Path]) -> tuple[float, int]:
    """Return (seconds until the last one uses it, the most bytes that one agent fetched)."""
    sample = lab.places.home("bench") / "sample"
    sample.write_bytes(b"BENCH" + os.urandom(500))
    begun = time.monotonic()
    _builder(lab, "immunize", str(sample))
    _await_all(lab, homes, _generation(lab))
    passed = time.monotonic() - begun
    cost = max(
        json.loads((home / "log").read_text(encoding="utf-8").splitlines()[-1]).get("bytes", 0)
        for home in homes
    )
    print(f"  one more signature: in use everywhere after {passed:.2f} s, for {cost:,} bytes at most")
    return passed, cost


def _freshclam(lab: Lab) -> int:
    """Return the bytes that freshclam fetches for one more signature: whole files, if they have changed."""
    home = lab.places.home("bench") / "freshclam"
    (home / "database").mkdir(parents=True)
    told = subprocess.run(
        [sys.executable, "-m", "cli.main", "av", "client-config", _VIP, "--without-official"],
        check=True, capture_output=True, encoding="utf-8", errors="replace", cwd=REPOSITORY,
    ).stdout  # fmt: skip
    configuration = home / "freshclam.conf"
    configuration.write_text(
        f"{told}DatabaseDirectory {home / 'database'}\nDatabaseOwner root\n", encoding="utf-8"
    )
    command = lab.command_in("globex-pc", ["freshclam", f"--config-file={configuration}", "--quiet"])
    subprocess.run(command, check=True, timeout=120)
    before = {path.name: path.read_bytes() for path in (home / "database").glob("postern*")}
    _add_one_more(lab)
    time.sleep(2.0)
    subprocess.run(command, check=True, timeout=120)
    after = {path.name: path.read_bytes() for path in (home / "database").glob("postern*")}
    return sum(len(data) for name, data in after.items() if before.get(name) != data)


def _add_one_more(lab: Lab) -> None:
    """Publish one more pattern to both rings."""
    pattern = os.urandom(40).hex()
    what = ("--ndb", f"0:*:{pattern}", "--name", f"Bench.{pattern[:8]}", "--reason", "benchmark")
    _builder(lab, "add-signature", *what, "--at-once")


def _storm(lab: Lab, arguments: argparse.Namespace) -> Limit:
    """The latency of mail while a thousand clients fetch a new generation, compared with before."""
    # Real clients have their own processors; these get only what mail leaves free.
    command = ["nice", "-n", "19", sys.executable, "-m", "benchmarks.antivirus_storm"]
    command = lab.command_in("globex-pc", [*command, _VIP, str(arguments.storm)])
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
    ) as storm:
        assert storm.stdout
        storm.stdout.readline()
        quiet = [_latency(lab) for _ in range(arguments.messages)]
        _add_one_more(lab)
        during = []
        while storm.poll() is None:
            during.append(_latency(lab))
        print(f"  storm: {storm.stdout.read().strip()}; {len(during)} messages meanwhile")
    before, then = statistics.median(quiet), statistics.median(during)
    print(f"  latency of a message {before * 1e3:.1f} ms, during the storm {then * 1e3:.1f} ms (medians)")
    return Limit("latency of mail during the storm, compared with before", "times", [then / before], _LATENCY)


def _latency(lab: Lab) -> float:
    """Return the seconds that a message takes from connection to QUIT."""
    message = build(Content.CLEAN, _SENDER, _RECIPIENT)
    with namespaces.inside(lab.places.pin("sender")):
        begun = time.monotonic()
        with smtplib.SMTP(_SERVER, 25, local_hostname="bench.example", timeout=30) as connection:
            connection.sendmail(_SENDER, [_RECIPIENT], message.data.replace(b"\n", b"\r\n"))
        return time.monotonic() - begun


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("benchmarks.antivirus", main)


if __name__ == "__main__":
    sys.exit(run())
