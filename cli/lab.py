"""`postern lab`: a whole edge on one machine, with real mail servers and scanners, to play with."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from lab.errors import LabError, UnhealthyError, next_step
from lab.lab import Lab, PartStatus
from lab.paths import REPOSITORY

_EPILOG = """\
a first sitting:
  postern lab up demo
  postern lab exec sender -- swaks --server 203.0.113.10 --from me@sender.example --to alice@acme.example
  postern lab logs acme-mx.postfix
  postern lab exec acme-mx -- tcpdump -ni acme-mx-eth0 port 25
  postern lab stop scanner1.clamd      what does mail do with one scanner less?
  postern lab down
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = subparsers.add_parser(
        "lab",
        help="bring up an edge with real services in network namespaces, and play with it (root)",
        description="Bring up switches, hosts, controller and services; look at them; take them down.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="LAB-COMMAND", required=True)
    up = commands.add_parser("up", help="bring a topology up; returns when all is healthy")
    up.add_argument("topology", help="a file of mininet_topos/, without its ending")
    up.add_argument("--policy", type=Path, help="default: policies/TOPOLOGY.yaml")
    up.set_defaults(run=_guarded(_up))
    execute = commands.add_parser("exec", help="run a command inside a host: exec HOST -- COMMAND...")
    execute.add_argument("host")
    execute.add_argument("command", nargs=argparse.REMAINDER)
    execute.set_defaults(run=_guarded(_exec))
    commands.add_parser("status", help="each part: its process, and healthy or why not").set_defaults(
        run=_guarded(_status)
    )
    logs = commands.add_parser("logs", help="what a part has written, or all parts if none is named")
    logs.add_argument("part", nargs="?")
    logs.add_argument("-n", "--lines", type=int, default=20, help="lines of each log (default 20)")
    logs.set_defaults(run=_guarded(_logs))
    for name, text, run in (
        ("stop", "stop one program, to see what the rest does without it", _stop),
        ("start", "start a program that was stopped", _start),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("part", help="as in `postern lab status`, acme-mx.postfix perhaps")
        command.set_defaults(run=_guarded(run))
    commands.add_parser("down", help="take it down; leaves nothing").set_defaults(run=_guarded(_down))


def _guarded(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Say what the lab could not do, and treat a polite end of this command like Ctrl-C."""

    def guarded(arguments: argparse.Namespace) -> int:
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGHUP, _interrupt)
        try:
            return run(arguments)
        except LabError as error:
            print(f"postern lab: {error}", file=sys.stderr)
            if isinstance(error, UnhealthyError):
                print(next_step(Lab().places.kept_logs), file=sys.stderr)
            return 1

    return guarded


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _up(arguments: argparse.Namespace) -> int:
    policy = arguments.policy or REPOSITORY / "policies" / f"{arguments.topology}.yaml"
    lab = Lab()
    print(f"bringing up {arguments.topology} with {policy}", flush=True)
    lab.up(arguments.topology, policy, lambda text: print(text, flush=True))
    print(_where(lab))
    return 0


def _where(lab: Lab) -> str:
    """Say what is where, and what to try next."""
    lines = ["", "hosts"]
    for host in lab.scene().network.hosts:
        lines.append(f"  {host.name:<12} {host.role:<12} {' '.join(host.addresses)}".rstrip())
    lines += [
        "",
        f"logs         {lab.places.log('controller').parent}",
        f"the API      POSTERN_API=unix:{lab.places.api}",
        "try next     postern lab status",
        "             postern lab exec sender -- ping -c1 -W1 203.0.113.10   (only mail and web pass)",
        "             ovs-ofctl -O OpenFlow14 --names dump-flows s1",
        "             postern lab down",
    ]
    return "\n".join(lines)


def _exec(arguments: argparse.Namespace) -> int:
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise LabError("no command given; remedy: postern lab exec HOST -- COMMAND...")
    words = Lab().command_in(arguments.host, command)
    sys.stdout.flush()
    try:
        os.execvp(words[0], words)  # terminal, standard input and exit code are the command's own
    except OSError as error:
        raise LabError(f"{words[0]} cannot be run: {error}") from error


def _status(_arguments: argparse.Namespace) -> int:
    found = Lab().status()
    for status in found:
        process = f"pid {status.process.pid}" if status.process and status.part.command else ""
        print(f"  {status.part.name:<34} {process:<12} {status.problem or 'healthy'}")
    return 1 if any(_is_ill(status) for status in found) else 0


def _is_ill(status: PartStatus) -> bool:
    return bool(status.problem)


def _logs(arguments: argparse.Namespace) -> int:
    lab = Lab()
    parts = [part for part in lab.parts() if part.command and arguments.part in (None, part.name)]
    if not parts:
        raise LabError(f"there is no part {arguments.part!r}; remedy: postern lab status lists them")
    for part in parts:
        for log in dict.fromkeys((part.log, lab.places.log(part.name))):
            if log.exists() and (lines := log.read_text(errors="replace", encoding="utf-8").splitlines()):
                print(f"== {part.name}: {log}")
                print("\n".join(lines[-arguments.lines :]))
    return 0


def _stop(arguments: argparse.Namespace) -> int:
    Lab().stop(arguments.part)
    print(f"{arguments.part} is stopped; postern lab start {arguments.part} brings it back")
    return 0


def _start(arguments: argparse.Namespace) -> int:
    Lab().start(arguments.part)
    print(f"{arguments.part} is healthy")
    return 0


def _down(_arguments: argparse.Namespace) -> int:
    print("the lab is down" if Lab().down() else "there was no lab")
    return 0
