"""`postern persona`: make decoys look like the servers they stand in for, and see what still tells them."""

import argparse
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

from cli.common import Subparsers, add_command
from controller.api.client import ApiClient, ApiError
from lab import network
from lab.errors import LabError
from lab.namespaces import entering
from lab.paths import Places
from lab.services import decoys

_PROGRAM = "services.fingerprint.main"
_LOOKS_WITHIN_S = 900.0
_DECIDED_FOR_S = 1_800
_CLOSED_PORT = 81
_EVIDENCE_COMES_WITHIN_S = 1.5
_EPILOG = """\
Both speak to servers as anybody outside would, so they run on a host outside the edge:

  postern persona learn acme --from sender           a host of the lab that is up
  postern persona learn acme smtp --from probe.example --shell 'ssh {host}' --source 198.51.100.9
  postern persona compare acme --from sender         the same host sees first the server, then its decoy

learn needs the tenant's consent in the policy, and writes a file to be reviewed. compare has the host pass
while it looks at the real server, and then meet decoys while it looks a second time; both end with it.
The exit code is 1 if anything tells the decoy.
"""


@dataclass(frozen=True, slots=True)
class _Outside:
    """A host outside: how commands are run there, and as whom it comes."""

    name: str
    prefix: tuple[str, ...]
    sources: tuple[str, ...]

    def command(self, *arguments: str) -> list[str]:
        return [*self.prefix, *arguments]

    def source_towards(self, server: str) -> str:
        for source in self.sources:
            if (":" in source) == (":" in server):
                return source
        raise ApiError([f"{self.name} has no address to reach {server} from; remedy: name one with --source"])


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "persona",
        help="what decoys look like: learned from real servers, compared with them",
        description="Make decoys look like the servers they stand in for, and find what still tells them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    learn = add_command(commands, "learn", "read a tenant's servers once, write a persona", _learn)
    _add_common(learn)
    learn.add_argument(
        "--out", type=Path, metavar="FILE", help="default: the TENANT.yaml that the lab's decoys use"
    )
    learn.add_argument("--host", default="", help="what the persona calls the server (default: as it does)")
    compare = add_command(
        commands, "compare", "look at servers and their decoys, list what differs", _compare
    )
    _add_common(compare)
    compare.add_argument("--without-nmap", action="store_true", help="do not run nmap -sV")


def _add_common(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("tenant", metavar="TENANT")
    add("services", nargs="*", metavar="SERVICE", help="only these: smtp, ssh, http, ...")
    add("--from", dest="outside", required=True, metavar="HOST", help="a host outside the edge")
    add("--shell", default="", metavar="COMMAND", help="how to run commands there (default: in the lab)")
    add("--source", action="append", default=[], metavar="ADDRESS", help="that host's address, with --shell")
    add("--address", action="append", default=[], help="only this server (default: all that are published)")
    add("--domain", default="", help="a domain of the tenant's mail, to ask about its recipients")
    add("--pause", type=float, default=0.2, metavar="SECONDS", help="between two connections (0.2)")


def _outside(arguments: argparse.Namespace) -> _Outside:
    """Raise `ApiError` if nobody knows that host."""
    if arguments.shell:
        prefix = shlex.split(arguments.shell.replace("{host}", arguments.outside))
        return _Outside(arguments.outside, (*prefix, "postern-persona"), tuple(arguments.source))
    places = Places.from_environment()
    try:
        host = network.read(places).host(arguments.outside)
    except (LabError, OSError) as error:
        raise ApiError([f"{error}; or name how to reach it: --shell 'ssh {{host}}'"]) from error
    prefix = entering(places.pin(host.name), [sys.executable, "-P", "-m", _PROGRAM])
    return _Outside(host.name, tuple(prefix), host.addresses)


def _servers(api: ApiClient, arguments: argparse.Namespace) -> dict[str, list[int]]:
    """Return the ports that the policy publishes, by server. Raise `ApiError`."""
    told = api.get(f"/v1/tenants/{quote(arguments.tenant, safe='')}/consent")
    ports: dict[str, list[int]] = told["ports"]
    found = {each: ports[each] for each in ports if not arguments.address or each in arguments.address}
    if not found:
        known = ", ".join(ports) or "there is none"
        raise ApiError([f"no such server of {arguments.tenant}; the policy publishes: {known}"])
    return found


def _target(arguments: argparse.Namespace, addresses: str, ports: list[int]) -> list[str]:
    words = ["--address", addresses, "--ports", ",".join(map(str, ports)), "--pause", str(arguments.pause)]
    return [*words, "--domain", arguments.domain] if arguments.domain else words


def _learn(arguments: argparse.Namespace, api: ApiClient) -> int:
    """One host of the persona for each set of ports: the two families of a server are one."""
    outside, out = _outside(arguments), arguments.out or decoys.personas() / f"{arguments.tenant}.yaml"
    groups: dict[tuple[int, ...], list[str]] = {}
    for address, ports in _servers(api, arguments).items():
        groups.setdefault(tuple(ports), []).append(address)
    services = [word for each in arguments.services for word in ("--service", each)]
    for published, addresses in groups.items():
        words = ["--tenant", arguments.tenant, "--out", str(out.absolute())]
        words += ["--host", arguments.host] if arguments.host else []
        words += ["--api", api.address, *services]
        target = _target(arguments, ",".join(addresses), [*published, _CLOSED_PORT])
        done = subprocess.run(outside.command("learn", *target, *words), check=False)
        if done.returncode:
            return done.returncode
    return 0


def _compare(arguments: argparse.Namespace, api: ApiClient) -> int:
    outside, code = _outside(arguments), 0
    with tempfile.TemporaryDirectory(prefix="postern-persona-") as directory:
        for server, ports in _servers(api, arguments).items():
            source = outside.source_towards(server)
            files = [Path(directory) / "real.json", Path(directory) / "decoy.json"]
            print(f"{server}: {outside.name} ({source}) looks at the server, then at its decoy")
            for file, shown in zip(files, (_passing, _suspected), strict=True):
                with shown(api, source):
                    file.write_bytes(_look(outside, arguments, server, ports))
            command = [sys.executable, "-P", "-m", _PROGRAM, "compare", *map(str, files)]
            code |= subprocess.run(command, check=False).returncode
    return code


def _look(outside: _Outside, arguments: argparse.Namespace, server: str, ports: list[int]) -> bytes:
    """Return what is seen from outside, as JSON. Raise `ApiError`."""
    words = [*_target(arguments, server, ports), "--out", "-", "--closed", str(_CLOSED_PORT)]
    words += ["--without-nmap"] if arguments.without_nmap else []
    words += [word for each in arguments.services for word in ("--service", each)]
    try:
        done = subprocess.run(
            outside.command("look", *words), capture_output=True, timeout=_LOOKS_WITHIN_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ApiError([f"{outside.name}: {error}"]) from error
    if done.returncode:
        raise ApiError([f"{outside.name}: {done.stderr.decode(errors='replace').strip()[:500]}"])
    return done.stdout


@contextmanager
def _passing(api: ApiClient, source: str) -> Iterator[None]:
    """Let a source pass, whatever is known of it: it sees the real server."""
    comment = "postern persona: looks at a real server"
    wanted = {"value": source, "comment": comment, "duration_s": _DECIDED_FOR_S}
    allowance = api.post("/v1/allow", wanted)
    try:
        yield
    finally:
        api.delete(f"/v1/allow/{allowance['id']}")


@contextmanager
def _suspected(api: ApiClient, source: str) -> Iterator[None]:
    """Have a source meet decoys; afterwards it is as if it had done nothing."""
    if before := _decisions(api, source):
        raise ApiError([f"{source} is suspicious already; remedy: postern decisions delete {before[0]}"])
    wanted = {"value": source, "action": "decoy", "duration_s": _DECIDED_FOR_S, "origin": "operator"}
    wanted |= {"scenario": "manual", "reason": "postern persona: looks at a decoy"}
    answer = api.post("/v1/decisions", {"decisions": [wanted]})
    for refused in answer["refused"]:
        raise ApiError([f"{refused['error']}; remedy: {refused['remedy']}"])
    try:
        yield
    finally:
        time.sleep(_EVIDENCE_COMES_WITHIN_S)  # what the decoys have seen has led to decisions, too
        for number in _decisions(api, source):
            api.delete(f"/v1/decisions/{number}")


def _decisions(api: ApiClient, source: str) -> list[int]:
    known = api.get(f"/v1/sources/{quote(source, safe='')}")["decisions"]
    return [int(each["id"]) for each in known if each["value"].partition("/")[0] == source]
