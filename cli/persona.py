"""`postern persona`: make decoys look like the servers they stand in for, and find the differences."""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cli.common import add_api_command, add_change_command
from cli.decisions import decide
from common.commands import CommandError, Result, explain
from common.exit_codes import ExitCode
from common.terminal import Progress
from common.wire.codec import to_media
from common.wire.decisions import Action, RequestedAllowance, RequestedDecision
from controller.api.client import ApiClient
from lab import network
from lab.errors import LabError
from lab.namespaces import entering
from lab.paths import LabPaths
from lab.services import decoys
from services.fingerprint import main as program
from services.fingerprint.actions import compare_files
from services.fingerprint.snapshot import SnapshotError

_LOOKS_WITHIN_S = 900.0
_DECIDED_FOR_S = 1_800
_CLOSED_PORT = 81
_EVIDENCE_COMES_WITHIN_S = 1.5
_EPILOG = """\
Both commands connect to servers as any client outside would, so they need a host outside the edge.

examples:
  postern persona learn acme --from sender           a host of the lab that is up
  postern persona learn acme smtp --from probe.example --shell 'ssh {host}' --source 198.51.100.9
  postern persona compare acme --from sender         the same host sees first the server, then its decoy

learn needs the tenant's consent in the policy, and writes a file to be reviewed. compare puts the host on the
allow-list while it examines the real server, and then sends it to the decoys; it undoes both afterwards.
The exit code is 1 if there is a difference.
"""


@dataclass(frozen=True, slots=True)
class _Outside:
    """A host outside: how commands are run there, and its source addresses."""

    name: str
    prefix: tuple[str, ...]
    sources: tuple[str, ...]

    def command(self, *arguments: str) -> list[str]:
        return [*self.prefix, *arguments]

    def source_towards(self, server: str) -> str:
        for source in self.sources:
            if (":" in source) == (":" in server):
                return source
        raise CommandError(
            [f"{self.name} has no address to reach {server} from; remedy: name one with --source"]
        )


def fill(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Make decoys look like the servers that they stand in for, and find the remaining differences.",
        _EPILOG,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    learn = add_api_command(
        commands,
        "learn",
        "read a tenant's servers once, and write a persona",
        _learn,
        "example:\n  postern persona learn acme --from sender",
    )
    _add_common(learn)
    program.add_persona_options(learn, "TENANT.yaml of the lab's decoys")
    compare = add_change_command(
        commands,
        "compare",
        "examine servers and their decoys, and list the differences",
        _compare,
        "example:\n  postern persona compare acme smtp --from sender",
    )
    _add_common(compare)
    program.add_nmap_option(compare)


def _add_common(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("tenant", metavar="TENANT", help="a tenant of the policy")
    program.add_services(parser, "services", nargs="*", metavar="SERVICE")
    add("--from", dest="outside", required=True, metavar="HOST", help="a host outside the edge")
    add("--shell", default="", metavar="COMMAND", help="runs a command on that host (default: in the lab)")
    add("--source", action="append", default=[], metavar="ADDRESS", help="that host's address, with --shell")
    program.add_address_option(parser, "all servers that the policy publishes")
    program.add_manners(parser)


def _outside(arguments: argparse.Namespace) -> _Outside:
    """Return the host outside. Raise `CommandError` if it is not known."""
    if arguments.shell:
        prefix = shlex.split(arguments.shell.replace("{host}", arguments.outside))
        return _Outside(arguments.outside, (*prefix, "postern-persona"), tuple(arguments.source))
    places = LabPaths.from_environment()
    try:
        host = network.read(places).host(arguments.outside)
    except (LabError, OSError) as error:
        raise CommandError([f"{error}; or say how to reach it: --shell 'ssh {{host}}'"]) from error
    prefix = entering(places.pin(host.name), [sys.executable, "-P", "-m", program.__name__])
    return _Outside(host.name, tuple(prefix), host.addresses)


def _servers(api: ApiClient, arguments: argparse.Namespace) -> dict[str, list[int]]:
    """Return the ports that the policy publishes, by server. Raise `CommandError`."""
    told = api.get(f"/v1/tenants/{quote(arguments.tenant, safe='')}/consent")
    ports: dict[str, list[int]] = told["ports"]
    chosen = [str(address) for address in arguments.address]
    found = {each: ports[each] for each in ports if not chosen or each in chosen}
    if not found:
        known = ", ".join(ports) or "none"
        raise CommandError([f"no such server of {arguments.tenant}; the policy publishes: {known}"])
    return found


def _target(arguments: argparse.Namespace, addresses: str, ports: list[int]) -> list[str]:
    pause = f"{round(arguments.pause * 1_000)}ms"
    words = ["--address", addresses, "--ports", ",".join(map(str, ports)), "--pause", pause]
    return [*words, "--domain", arguments.domain] if arguments.domain else words


def _learn(arguments: argparse.Namespace, api: ApiClient) -> Result:
    """Return a host of the persona for each set of ports: the two families of a server are one host."""
    outside, out = _outside(arguments), arguments.out or decoys.personas() / f"{arguments.tenant}.yaml"
    groups: dict[tuple[int, ...], list[str]] = {}
    for address, ports in _servers(api, arguments).items():
        groups.setdefault(tuple(ports), []).append(address)
    printed: list[str] = []
    progress: Progress = arguments.progress
    for published, addresses in groups.items():
        progress.show(f"{outside.name} reads {', '.join(addresses)}")
        words = ["--tenant", arguments.tenant, "--out", str(out.absolute()), "--api", api.address]
        words += ["--host", arguments.host] if arguments.host else []
        words += ["--json"] if arguments.json else []
        target = _target(arguments, ",".join(addresses), [*published, _CLOSED_PORT])
        printed.append(_run_outside(outside, ["learn", *target, *words, *_services(arguments)]))
    if arguments.json:
        return Result([json.loads(each) for each in printed])
    return Result([], [line for each in printed for line in each.splitlines()])


def _services(arguments: argparse.Namespace) -> list[str]:
    return [word for each in arguments.services for word in ("--service", each)]


def _compare(arguments: argparse.Namespace, api: ApiClient) -> Result:
    outside, found = _outside(arguments), dict[str, Result]()
    progress: Progress = arguments.progress
    with tempfile.TemporaryDirectory(prefix="postern-persona-") as directory:
        for server, ports in _servers(api, arguments).items():
            source = outside.source_towards(server)
            files = [Path(directory) / "real.json", Path(directory) / "decoy.json"]
            for file, shown, what in zip(files, (_passing, _suspected), ("server", "decoy"), strict=True):
                progress.show(f"{outside.name} ({source}) examines the {what} of {server}")
                with shown(api, source):
                    file.write_text(_look(outside, arguments, server, ports), encoding="utf-8")
            found[server] = _compared(*files)
    lines = [line for server, each in found.items() for line in (f"{server}:", *each.lines)]
    code = max((each.code for each in found.values()), default=ExitCode.OK)
    return Result({server: each.facts for server, each in found.items()}, lines, code)


def _compared(real: Path, decoy: Path) -> Result:
    try:
        return compare_files(real, decoy)
    except (OSError, SnapshotError) as error:
        raise CommandError([str(error)]) from error


def _look(outside: _Outside, arguments: argparse.Namespace, server: str, ports: list[int]) -> str:
    """Return what the host outside sees, as JSON. Raise `CommandError`."""
    words = [*_target(arguments, server, ports), "--out", "-", "--closed", str(_CLOSED_PORT)]
    words += ["--without-nmap"] if arguments.without_nmap else []
    return _run_outside(outside, ["look", *words, *_services(arguments)])


def _run_outside(outside: _Outside, words: list[str]) -> str:
    """Return what `postern-persona` prints on the host outside. Raise `CommandError`."""
    try:
        done = subprocess.run(
            outside.command(*words),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_LOOKS_WITHIN_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError([f"{outside.name}: {error}"]) from error
    if done.returncode:
        raise CommandError([f"{outside.name}: {done.stderr.strip()[-500:]}"])
    return done.stdout


@contextmanager
def _passing(api: ApiClient, source: str) -> Iterator[None]:
    """Let a source pass regardless of any decision, so that it sees the real server."""
    comment = "postern persona: examines a real server"
    wanted = RequestedAllowance(source, comment, _DECIDED_FOR_S)
    allowance = api.post("/v1/allow", to_media(wanted))
    try:
        yield
    finally:
        api.delete(f"/v1/allow/{allowance['id']}")


@contextmanager
def _suspected(api: ApiClient, source: str) -> Iterator[None]:
    """Steer a source to decoys; afterwards its score and decisions are removed."""
    if before := _decisions(api, source):
        raise CommandError([f"{source} is suspicious already; remedy: postern decisions delete {before[0]}"])
    who, why = "operator", "postern persona: examines a decoy"
    wanted = RequestedDecision(source, Action.DECOY, _DECIDED_FOR_S, origin=who, reason=why)
    decide(api, wanted)
    try:
        yield
    finally:
        time.sleep(_EVIDENCE_COMES_WITHIN_S)  # evidence from the decoys has also led to decisions
        for number in _decisions(api, source):
            api.delete(f"/v1/decisions/{number}")


def _decisions(api: ApiClient, source: str) -> list[int]:
    known = api.get(f"/v1/sources/{quote(source, safe='')}")["decisions"]
    return [int(each["id"]) for each in known if each["value"].partition("/")[0] == source]
