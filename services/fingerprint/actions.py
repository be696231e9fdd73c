"""The commands, step by step: ask for consent, look, learn, write, compare."""

import asyncio
import json
import os
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from common.api import access_in
from common.commands import Result
from common.config.errors import quoted
from common.exit_codes import ExitCode
from services.fingerprint.client import Manners, Place, knock
from services.fingerprint.compare import compare
from services.fingerprint.consent import require_consent
from services.fingerprint.dry_run import tells_of
from services.fingerprint.learn import LearnedHost, learn_host
from services.fingerprint.merge import CannotMerge, differences_of_host, merge
from services.fingerprint.protocols.detection import USUAL
from services.fingerprint.render import file_text
from services.fingerprint.scan import Sighting, Target, look_at
from services.fingerprint.scanner import scan
from services.fingerprint.snapshot import MOST_BYTES, Snapshot, SnapshotError, parse_snapshot
from services.personas.grammar import PERSONA_FILE
from services.personas.model import Address, Persona, Protocol
from services.personas.parse import parse_persona


async def learn(target: Target, manners: Manners, wanted: Namespace, tell: Callable[[str], None]) -> Result:
    """Learn a persona and write it. Raise `NoConsent`, `CannotMerge`, `ConfigErrors` or `OSError`."""
    out: Path = wanted.out
    addresses: tuple[Address, ...] = tuple(wanted.address)
    await require_consent(access_in(wanted), wanted.tenant, addresses)
    before = _read(out, PERSONA_FILE.limits.size_bytes) if out.exists() else ""
    _check_tenant(before, out, wanted.tenant)
    tell(f"looking at {target.address}, {len(target.ports)} ports")
    sightings = await look_at(_only(target, wanted.service), manners)
    name = wanted.host or _name_of(before, out, addresses)
    tell("learning, and testing the persona in a dry run")
    host = learn_host(name, addresses, sightings, target.circumstances)
    host.remarks += await _others_unlike(sightings, addresses[1:], manners)
    source = f"Learned from {target.address} at {_now()}."
    persona = parse_persona(_text(before, out, wanted.tenant, host, source), str(out))
    count = _remark_tells(persona, host, sightings, target)
    text = _text(before, out, wanted.tenant, host, source)
    parse_persona(text, str(out))
    _write(out, text)
    remarks = differences_of_host(parse_persona(before, str(out)), host) if before else host.remarks
    return _learned(host, remarks, out, count)


def _name_of(before: str, out: Path, addresses: tuple[Address, ...]) -> str:
    """Return the file's name for the host that has one of these addresses."""
    hosts = parse_persona(before, str(out)).hosts if before else ()
    return next((host.name for host in hosts if set(host.addresses) & set(addresses)), "server")


async def _others_unlike(
    sightings: dict[int, Sighting], others: tuple[Address, ...], manners: Manners
) -> list[str]:
    """Return the ports at which a host's addresses differ: it has one persona for all of them."""
    found = []
    for address in others:
        for port, sighting in sightings.items():
            state = await knock(Place(address, port), manners)
            await asyncio.sleep(manners.pause_s)
            if state is not sighting.state:
                found.append(f"{address} differs: {port} is {state}, but {sighting.state} at the first")
    return found


def _only(target: Target, services: list[Protocol]) -> Target:
    """Leave out ports of other protocols if some were requested."""
    if not services:
        return target
    known = {port: target.protocols.get(port) or USUAL.get(port) for port in target.ports}
    ports = tuple(port for port in target.ports if known[port] is None or known[port] in services)
    return Target(target.address, ports, target.protocols, target.name, target.domain)


def _check_tenant(before: str, out: Path, tenant: str) -> None:
    if before and (theirs := parse_persona(before, str(out)).tenant) != tenant:
        raise CannotMerge(f"{out}: is the persona of {theirs}; remedy: choose another file for {tenant}")


def _text(before: str, out: Path, tenant: str, host: LearnedHost, source: str) -> str:
    return merge(before, str(out), host, source) if before else file_text(tenant, host, source)


def _remark_tells(persona: Persona, host: LearnedHost, sightings: dict[int, Sighting], target: Target) -> int:
    """Play the persona in a dry run and note the differences at each service. Return their number."""
    learned = next(each for each in persona.hosts if each.name == host.name)
    count = 0
    for port, lesson in host.services.items():
        tells = tells_of(learned.services[port], sightings[port].answers, target.circumstances)
        lesson.remarks += [f"differs: {tell}" for tell in tells]
        count += len(tells)
    return count


def _learned(host: LearnedHost, remarks: list[str], out: Path, tells: int) -> Result:
    addresses = [str(address) for address in host.addresses]
    services = {
        str(port): {
            "protocol": lesson.fields["protocol"],
            "remarks": [_plain(each) for each in lesson.remarks],
        }
        for port, lesson in host.services.items()
    }
    facts = {
        "file": str(out),
        "host": host.name,
        "addresses": addresses,
        "services": services,
        "tells": tells,
    }
    lines = [f"{out}: {host.name} at {', '.join(addresses)}"]
    for port, lesson in host.services.items():
        lines.append(f"  {port} {lesson.fields['protocol']}")
        lines += [f"    {_plain(remark)}" for remark in lesson.remarks]
    if host.shut:
        lines.append(f"  no service: {', '.join(map(str, host.shut))} ({host.closed})")
    lines += [f"  {_plain(remark)}" for remark in remarks]
    lines.append(f"known differences: {tells}. Review the file, then compare: docs/personas.md")
    return Result({**facts, "closed": list(host.shut), "remarks": [_plain(each) for each in remarks]}, lines)


async def look(
    target: Target, manners: Manners, out: Path, services: list[Protocol], *, has_nmap: bool
) -> Result:
    """Write a look to a file, or to `-`: standard output. Raise `OSError` or `NmapFailed`."""
    target = _only(target, services)
    scanning = asyncio.create_task(scan(target.address, target.ports)) if has_nmap else None
    try:
        sightings = await look_at(target, manners)
        findings = await scanning if scanning else {}
    finally:
        if scanning:
            scanning.cancel()
    seen = {port: sighting.to_seen() for port, sighting in sightings.items()}
    for port, finding in findings.items():
        if port in seen:
            seen[port].nmap.update(state=finding.state, service=finding.service)
    text = Snapshot(str(target.address), target.circumstances.client, _now(), seen).to_json()
    if out == Path("-"):
        return Result(json.loads(text), text.splitlines())
    _write(out, text)
    lines = [
        f"{port} {each.state} {each.protocol} {_plain(each.nmap.get('service', ''))}".rstrip()
        for port, each in seen.items()
    ]
    return Result(json.loads(text), lines)


def compare_files(real: Path, decoy: Path) -> Result:
    """Return the differences, one per line. Raise `OSError` or `SnapshotError`."""
    looks = [parse_snapshot(_read(file, MOST_BYTES), str(file)) for file in (real, decoy)]
    found = compare(*looks)
    lines = [
        *map(str, found.tells),
        *(f"known difference: {known}" for known in found.known),
        f"{len(found.tells)} tells; {found.compared} facts of the real server were compared",
    ]
    facts = {
        "tells": [asdict(tell) for tell in found.tells],
        "known": [asdict(known) for known in found.known],
        "compared": found.compared,
    }
    return Result(facts, lines, ExitCode.FAILED if found.tells else ExitCode.OK)


def _read(file: Path, most: int) -> str:
    with file.open("rb") as opened:
        data = opened.read(most + 1)
    if len(data) > most:
        raise SnapshotError(f"{file}: is longer than {most} bytes; remedy: check the file name")
    return data.decode("utf-8")


def _write(file: Path, text: str) -> None:
    """Write the file as a whole or not at all."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(text: str) -> str:
    return quoted(text)[1:-1] if not text.isascii() or not text.isprintable() else text
