"""Turns what was seen of a server into the keys of a persona, with remarks for the reviewer."""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from services.fingerprint.client import PortState
from services.fingerprint.encryption import REFUSED
from services.fingerprint.protocols.detection import SPEAKING
from services.fingerprint.protocols.interface import Lesson
from services.fingerprint.scan import Sighting
from services.fingerprint.script import Circumstances, Ending
from services.personas.model import BEGIN_WITH_TLS, TLS_VERSIONS, Address, Closed, Protocol, Service
from services.personas.parse import parse_persona

_INITIAL_TTLS = (64, 128, 255)
_DNS_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?")
_LONGEST_X509_NAME = 64
_PAGES = ("not_found", "bad_method", "bad_request")
_EC = "EC secp256r1"
# What a decoy's own TLS shows with any persona: docs/decoys.md.
_TLS_OF_DECOYS = {
    "certificate signed": "by itself",
}


@dataclass(slots=True)
class LearnedHost:
    """What a persona says about a host; `shut` are the ports that were tried and have no service."""

    name: str
    addresses: tuple[Address, ...]
    closed: Closed = Closed.RESET
    ttl: int = 64
    window: int = 0
    services: dict[int, Lesson] = field(default_factory=dict)
    shut: tuple[int, ...] = ()
    remarks: list[str] = field(default_factory=list)


def learn_host(
    name: str,
    addresses: tuple[Address, ...],
    sightings: dict[int, Sighting],
    circumstances: Circumstances,
) -> LearnedHost:
    host = LearnedHost(name, addresses)
    for port, sighting in sightings.items():
        if sighting.state is PortState.OPEN and sighting.protocol is not None:
            host.services[port] = learn_service(sighting, circumstances)
    host.shut = tuple(port for port, sighting in sightings.items() if sighting.state is not PortState.OPEN)
    _learn_closed(host, sightings)
    _learn_kernel(host, sightings)
    return host


def learn_service(sighting: Sighting, circumstances: Circumstances) -> Lesson:
    """Return keys in the order in which a person would write them: the protocol first."""
    assert sighting.protocol is not None
    speaking = SPEAKING[sighting.protocol]
    lesson = speaking.learn(sighting.answers, circumstances)
    lesson.fields = {"protocol": sighting.protocol.value, **lesson.fields}
    if sighting.tls or sighting.protocol in BEGIN_WITH_TLS:
        lesson.fields["tls"] = _learn_tls(lesson, sighting.tls, circumstances)
    _leave_out_defaults(lesson)
    silent = [name for name, heard in sighting.answers.items() if heard.ending is Ending.SILENT]
    if silent:
        lesson.remarks.append(f"no complete answer in time to: {', '.join(silent)}")
    if sighting.protocol is Protocol.BANNER:
        lesson.remarks.append("the protocol was not recognised: only its banner is known")
    return lesson


def _leave_out_defaults(lesson: Lesson) -> None:
    """Leave out pages that the persona has by default: they need no review."""
    for key in _PAGES:
        without = {name: value for name, value in lesson.fields.items() if name != key}
        if key in lesson.fields and _parsed(without) == _parsed(lesson.fields):
            lesson.fields = without


def _parsed(fields: dict[str, Any]) -> Service:
    host = {"addresses": "dark", "services": {1: {**fields, "tls": {"names": ["x"]}}}}
    persona = {"postern-persona": 1, "tenant": "x", "hosts": {"x": host}}
    return parse_persona(yaml.safe_dump(persona), "x").hosts[0].services[1]


def _learn_tls(lesson: Lesson, facts: dict[str, str], circumstances: Circumstances) -> dict[str, Any]:
    names = [name for name in facts.get("certificate names", "").split(",") if _DNS_NAME.fullmatch(name)]
    if not names:
        lesson.remarks.append("tls: the certificate has no readable name: the name is invented")
        names = [circumstances.name if _DNS_NAME.fullmatch(circumstances.name) else "localhost"]
    subject = facts.get("certificate subject", "")
    if subject in names:  # the subject of a decoy's certificate is the first name
        names.insert(0, names.pop(names.index(subject)))
    tls: dict[str, Any] = {"names": names}
    issuer, organization = facts.get("certificate issuer", ""), facts.get("certificate organization", "")
    for key, text in (("issuer", issuer if issuer != names[0] else ""), ("organization", organization)):
        if text:
            tls[key] = lesson.line(text, f"tls: {key}")[:_LONGEST_X509_NAME]
    days = facts.get("certificate days", "")
    if days.isdigit() and 1 <= int(days) <= 10_000:
        tls["days"] = int(days)
    _learn_handshake(lesson, tls, facts)
    for name, usual in _TLS_OF_DECOYS.items():
        if (found := facts.get(name, usual)) != usual:
            lesson.remarks.append(f"tls: {name} is {found}; a decoy's is {usual}")
    return tls


def _learn_handshake(lesson: Lesson, tls: dict[str, Any], facts: dict[str, str]) -> None:
    """Set the persona's keys for versions, ALPN and key type. Defaults are left out."""
    for key, seen, known in (
        ("oldest", _oldest_of(facts), {**dict(zip(TLS_VERSIONS, TLS_VERSIONS, strict=True)), "1.2": None}),
        ("alpn", facts.get("ALPN", "none"), {"none": None, "http/1.1": ["http/1.1"]}),
        ("key", facts.get("certificate key", _EC), {_EC: None, "RSA 2048": "rsa"}),
    ):
        if seen not in known:
            lesson.remarks.append(f"tls: {key}: the server has {seen}; a decoy supports {', '.join(known)}")
        elif known[seen] is not None:
            tls[key] = known[seen]


def _oldest_of(facts: dict[str, str]) -> str:
    """Return the oldest TLS version that the server supports."""
    return next((each for each in TLS_VERSIONS if facts.get(f"TLS {each}", REFUSED) != REFUSED), "1.2")


def _learn_closed(host: LearnedHost, sightings: dict[int, Sighting]) -> None:
    found = {sightings[port].state for port in host.shut}
    host.closed = Closed.SILENT if found and found <= {PortState.SILENT} else Closed.RESET
    if not found:
        host.remarks.append("closed: a guess; no port without a service was tried. Add one to --ports")
    if len(found) > 1 or PortState.UNREACHABLE in found:
        shown = ", ".join(f"{port} {sightings[port].state}" for port in host.shut)
        host.remarks.append(f"closed: closed ports answer differently: {shown}")


def _learn_kernel(host: LearnedHost, sightings: dict[int, Sighting]) -> None:
    seen = next((each for each in sightings.values() if each.ttl and each.state is PortState.OPEN), None)
    if seen is None:
        host.remarks.append("ttl, window: defaults; run learn as root to read them")
        return
    host.ttl = next(initial for initial in _INITIAL_TTLS if seen.ttl <= initial)
    # A persona's window makes the decoy's kernel send `wscale 0`, so it is only for hosts without scaling.
    if re.search(r"wscale [1-9]", seen.kernel) is None:
        host.window = seen.window
    host.remarks.append(f"the kernel's answer to a SYN was: {seen.kernel}")
