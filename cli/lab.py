"""`postern lab`: a whole edge on one machine, with real mail servers and scanners, to try things out."""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from common.commands import CommandError, Result, Run, Subparsers, add_command, be_command, explain
from common.exit_codes import ExitCode
from common.options import number_option
from common.terminal import Progress, paint
from lab.errors import LabError, UnhealthyError, next_step
from lab.lab import Lab, PartStatus
from lab.paths import REPOSITORY

_EPILOG = """\
first steps:
  postern lab up demo
  postern lab exec sender -- swaks --server 203.0.113.10 --from me@sender.example --to alice@acme.example
  postern lab logs acme-mx.postfix
  postern lab exec acme-mx -- tcpdump -ni acme-mx-eth0 port 25
  postern lab stop scanner1.clamd      see how mail continues with one scanner fewer
  postern lab down
"""


def fill(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Bring up switches, hosts, controller and services; look at them; take them down. Needs root.",
        _EPILOG,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_up(commands)
    _add_exec(commands)
    add_command(
        commands,
        "status",
        "show each part, its process, and whether it is healthy",
        _guarded(_status),
        "example:\n  sudo postern lab status --json",
    )
    _add_logs(commands)
    _add_part_command(commands, "stop", "stop one program, to see how the rest works without it", _stop)
    _add_part_command(commands, "start", "start a program that was stopped", _start)
    add_command(
        commands,
        "down",
        "take the lab down and remove all of it",
        _guarded(_down),
        "example:\n  sudo postern lab down",
    )


def _add_up(commands: Subparsers) -> None:
    up = add_command(
        commands,
        "up",
        "bring up a topology, and return when every part is healthy",
        _guarded(_up),
        "example:\n  sudo postern lab up demo",
    )
    up.add_argument("topology", metavar="TOPOLOGY", help="name of a file in mininet_topos/, without .py")
    up.add_argument("--policy", type=Path, metavar="FILE", help="policy (default: policies/TOPOLOGY.yaml)")


def _add_exec(commands: Subparsers) -> None:
    """The command decides what is printed, so there is no `--json`."""
    execute = commands.add_parser("exec", help="run a command inside a host")
    be_command(
        execute,
        _guarded(_exec),
        "Run a command inside a host. Terminal, standard input and exit code are the command's own.",
        "example:\n  sudo postern lab exec acme-mx -- tcpdump -ni acme-mx-eth0 port 25",
        has_json=False,
    )
    execute.add_argument("host", metavar="HOST", help="a host of the lab")
    execute.add_argument(
        "command", metavar="COMMAND", nargs=argparse.REMAINDER, help="after --: the command and its arguments"
    )


def _add_logs(commands: Subparsers) -> None:
    logs = add_command(
        commands,
        "logs",
        "print the end of a part's log, or of all logs",
        _guarded(_logs),
        "example:\n  sudo postern lab logs acme-mx.postfix -n 50",
    )
    logs.add_argument("part", nargs="?", metavar="PART", help="as `postern lab status` lists it")
    logs.add_argument(
        "-n", "--lines", type=number_option(), default=20, help="lines of each log (default: 20)"
    )


def _add_part_command(commands: Subparsers, name: str, text: str, run: Run) -> None:
    """Add a command about one part of the lab."""
    example = f"example:\n  sudo postern lab {name} scanner1.clamd"
    command = add_command(commands, name, text, _guarded(run), example)
    command.add_argument("part", metavar="PART", help="as `postern lab status` lists it")


def _guarded(run: Run) -> Run:
    """Turn errors of the lab into a `CommandError`, and treat SIGTERM and SIGHUP like Ctrl-C."""

    def guarded(arguments: argparse.Namespace) -> Result:
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGHUP, _interrupt)
        try:
            return run(arguments)
        except LabError as error:
            next_lines = [next_step(Lab().places.kept_logs)] if isinstance(error, UnhealthyError) else []
            raise CommandError([f"postern lab: {error}", *next_lines]) from error

    return guarded


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _up(arguments: argparse.Namespace) -> Result:
    policy = arguments.policy or REPOSITORY / "policies" / f"{arguments.topology}.yaml"
    lab = Lab()
    told = [f"bringing up {arguments.topology} with {policy}"]
    progress: Progress = arguments.progress
    progress.show(told[0])

    def tell(text: str) -> None:
        told.append(text)
        progress.show(" ".join(text.split()))

    lab.up(arguments.topology, policy, tell)
    hosts = [
        {"name": host.name, "role": host.role, "addresses": list(host.addresses)}
        for host in lab.scene().network.hosts
    ]
    api = f"unix:{lab.places.api}"
    facts = {"topology": arguments.topology, "policy": str(policy), "hosts": hosts, "api": api}
    return Result(facts, [told[-1], *_where(lab, api)])


def _where(lab: Lab, api: str) -> list[str]:
    """Return where everything is, and what to try next."""
    hosts = [
        f"  {host.name:<12} {host.role:<12} {' '.join(host.addresses)}".rstrip()
        for host in lab.scene().network.hosts
    ]
    return [
        "",
        "hosts",
        *hosts,
        "",
        f"logs         {lab.places.log('controller').parent}",
        f"the API      POSTERN_API={api}",
        "try next     postern lab status",
        "             postern lab exec sender -- ping -c1 -W1 203.0.113.10   (only mail and web pass)",
        "             ovs-ofctl -O OpenFlow14 --names dump-flows s1",
        "             postern lab down",
    ]


def _exec(arguments: argparse.Namespace) -> Result:
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise LabError("no command given; remedy: postern lab exec HOST -- COMMAND...")
    words = Lab().command_in(arguments.host, command)
    sys.stdout.flush()
    try:
        os.execvp(words[0], words)  # terminal, standard input and exit code are the command's own
    except OSError as error:
        raise LabError(f"{words[0]} cannot be run: {error}") from error


def _status(_arguments: argparse.Namespace) -> Result:
    found = Lab().status()
    facts = [
        {"part": each.part.name, "pid": _pid(each), "healthy": not each.problem, "problem": each.problem}
        for each in found
    ]
    is_bad = any(each.problem for each in found)
    return Result(facts, [_status_line(each) for each in found], ExitCode.FAILED if is_bad else ExitCode.OK)


def _pid(status: PartStatus) -> int | None:
    return status.process.pid if status.process and status.part.command else None


def _status_line(status: PartStatus) -> str:
    pid = _pid(status)
    state = paint(status.problem, "bad") if status.problem else "healthy"
    return f"  {status.part.name:<34} {f'pid {pid}' if pid else '':<12} {state}"


def _logs(arguments: argparse.Namespace) -> Result:
    lab = Lab()
    parts = [part for part in lab.parts() if part.command and arguments.part in (None, part.name)]
    if not parts:
        raise LabError(f"there is no part {arguments.part!r}; remedy: postern lab status lists them")
    facts = []
    for part in parts:
        for log in dict.fromkeys((part.log, lab.places.log(part.name))):
            if log.exists() and (lines := log.read_text(errors="replace", encoding="utf-8").splitlines()):
                facts.append({"part": part.name, "file": str(log), "lines": lines[-arguments.lines :]})
    text = [line for each in facts for line in (f"== {each['part']}: {each['file']}", *each["lines"])]
    return Result(facts, text)


def _stop(arguments: argparse.Namespace) -> Result:
    Lab().stop(arguments.part)
    said = f"{arguments.part} is stopped; postern lab start {arguments.part} starts it again"
    return Result({"part": arguments.part, "state": "stopped"}, [said])


def _start(arguments: argparse.Namespace) -> Result:
    progress: Progress = arguments.progress
    progress.show(f"starting {arguments.part}")
    Lab().start(arguments.part)
    return Result({"part": arguments.part, "state": "healthy"}, [f"{arguments.part} is healthy"])


def _down(arguments: argparse.Namespace) -> Result:
    progress: Progress = arguments.progress
    progress.show("taking the lab down")
    was_up = Lab().down()
    return Result({"was_up": was_up}, ["the lab is down" if was_up else "there was no lab"])
