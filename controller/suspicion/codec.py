"""Decisions and allowances from JSON values, and back. All input from outside is bounded."""

from ipaddress import ip_network
from typing import TypeVar

from common.wire.codec import Json, RecordError, Versioned, from_media
from common.wire.decisions import RequestedDecision
from common.wire.evidence import ReportedEvidence
from controller.policy.evidence import EVIDENCE
from controller.policy.model import Network, Protocol
from controller.suspicion.allow import Allowance
from controller.suspicion.decision import Decision, Request, Scope
from controller.suspicion.scores import Evidence

_LONGEST_TEXT = 200
_A_DECISION = 'send {"value": "198.51.100.66", "action": "decoy"}'
_A_FACT = 'send {"kind": "auth-failure", "source": "198.51.100.66"}'
R = TypeVar("R", bound=Versioned)


class BadInput(ValueError):
    """The input is not valid; the text says what is wrong, `remedy` what to send instead."""

    def __init__(self, error: str, remedy: str) -> None:
        super().__init__(error)
        self.remedy = remedy


def read_source(value: object) -> Network:
    """Return an address or prefix as a network. Raise `BadInput`."""
    try:
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        return ip_network(value)
    except ValueError:
        shown = str(value)[:60]
        raise BadInput(
            f"{shown!r} is not a valid address or prefix", "write 198.51.100.66 or 198.51.100.0/24"
        ) from None


def read_request(media: object, origin: str = "") -> Request:
    """Return the requested decision; `origin`, if given, is that of the client. Raise `BadInput`."""
    said = _read(RequestedDecision, media, "protocol", "transport", _A_DECISION)
    return Request(
        scope=Scope(
            source=read_source(said.value),
            tenant=said.tenant,
            protocol=Protocol(said.protocol) if said.protocol else None,
            port=said.port,
        ),
        action=said.action,
        origin=origin or said.origin or "api",
        scenario=said.scenario or "manual",
        reason=said.reason,
        duration_s=said.duration_s,
        confidence=said.confidence,
        sessions=said.sessions,
        is_simulated=said.simulated,
    )


def show_request(request: Request) -> Json:
    """Return the JSON values that `read_request` reads."""
    return {
        "value": str(request.scope.source),
        "action": request.action.value,
        "duration_s": request.duration_s,
        "origin": request.origin,
        "scenario": request.scenario,
        "reason": request.reason,
        "confidence": request.confidence,
        "tenant": request.scope.tenant,
        "protocol": request.scope.protocol.value if request.scope.protocol else "",
        "port": request.scope.port,
        "simulated": request.is_simulated,
        "sessions": request.sessions.value,
    }


def read_evidence(media: object) -> Evidence:
    """Return one piece of evidence about a source. Raise `BadInput`."""
    said = _read(ReportedEvidence, media, "transport", "protocol", _A_FACT)
    if said.kind not in EVIDENCE:
        raise BadInput(f"kind {said.kind!r} is unknown", f"write one of {', '.join(EVIDENCE)}")
    source = read_source(said.source)
    if source.prefixlen != source.max_prefixlen:
        raise BadInput(f"source {source} is not a single address", "write 198.51.100.66")
    return Evidence(
        said.kind,
        source.network_address,
        tenant=said.tenant,
        destination=said.destination,
        port=said.port,
        protocol=Protocol(said.transport) if said.transport else None,
        detail=_printable(said.detail),
        trace=said.trace,
        count=said.count,
    )


def _read(kind: type[R], media: object, key: str, other_name: str, example: str) -> R:
    """Read a record. Other programs may give a key another name, and write null for what they lack."""
    if isinstance(media, dict):
        if None in media.values():
            media = {name: value for name, value in media.items() if value is not None}
        if media.get(key, "") == "" and media.get(other_name, "") != "":
            media = {**media, key: media[other_name]}
    try:
        return from_media(kind, media)
    except RecordError as error:
        raise BadInput(str(error), error.remedy or example) from error


def _printable(text: str) -> str:
    """Return an attacker's text in a form that is safe to show: escaped and cut."""
    return text[:_LONGEST_TEXT].encode("unicode_escape").decode("ascii")[:_LONGEST_TEXT]


def show_decision(decision: Decision) -> Json:
    return {
        "id": decision.number,
        **show_request(decision.request),
        "since": decision.since,
        "until": decision.until,
    }


def show_allowance(allowance: Allowance) -> Json:
    return {
        "id": allowance.number,
        "value": str(allowance.source),
        "comment": allowance.comment,
        "since": allowance.since,
        "until": allowance.until,
    }
