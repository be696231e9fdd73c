"""Decisions and allowances from JSON values, and back. All input from outside is bounded."""

from ipaddress import ip_network
from typing import Any

from common.wire.codec import RecordError, from_media
from common.wire.evidence import ReportedEvidence
from controller.policy.evidence import EVIDENCE
from controller.policy.model import Action, Network, OpenSessions, Protocol
from controller.suspicion.allow import Allowance
from controller.suspicion.decision import Decision, Request, Scope
from controller.suspicion.scores import Evidence

_LONGEST_TEXT = 200
_LONGEST_NAME = 80
Json = dict[str, Any]


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
    if not isinstance(media, dict):
        raise BadInput("a decision must be an object", 'send {"value": "198.51.100.66", "action": "decoy"}')
    protocol = _text(media, "protocol") or _text(media, "transport")
    return Request(
        scope=Scope(
            source=read_source(media.get("value")),
            tenant=_text(media, "tenant"),
            protocol=_choice(Protocol, "protocol", protocol) if protocol else None,
            port=int(_number(media, "port", 0, 0, 65_535)),
        ),
        action=_choice(Action, "action", _text(media, "action")),
        origin=origin or _text(media, "origin") or "api",
        scenario=_text(media, "scenario") or "manual",
        reason=_text(media, "reason", _LONGEST_TEXT),
        duration_s=_number(media, "duration_s", 14_400, 0, 1e10),
        confidence=_number(media, "confidence", 1.0, 0.0, 1.0),
        sessions=_choice(OpenSessions, "sessions", _text(media, "sessions") or "keep"),
        is_simulated=bool(media.get("simulated", False)),
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
    if not isinstance(media, dict):
        raise BadInput(
            "evidence must be an object", 'send {"kind": "auth-failure", "source": "198.51.100.66"}'
        )
    said = _read_reported({key: value for key, value in media.items() if value is not None})
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
        protocol=_choice(Protocol, "protocol", said.transport) if said.transport else None,
        detail=_printable(said.detail),
        trace=said.trace,
        count=said.count,
    )


def _read_reported(media: Json) -> ReportedEvidence:
    """Programs other than ours may call the transport `protocol`."""
    try:
        return from_media(ReportedEvidence, {"transport": media.get("protocol", ""), **media})
    except RecordError as error:
        raise BadInput(str(error), error.remedy or 'send {"kind": ..., "source": ...}') from error


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


def _text(media: Json, key: str, longest: int = _LONGEST_NAME) -> str:
    value = media.get(key, "")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadInput(f"{key} is not a string", f'write "{key}": "..."')
    if len(value) > longest:
        if longest == _LONGEST_TEXT:
            return value[:longest]
        raise BadInput(f"{key} is longer than {longest} characters", "shorten it")
    if not value.isprintable():
        raise BadInput(f"{key} has characters that cannot be printed", "remove them")
    return value


def _number(media: Json, key: str, default: float, low: float, high: float) -> float:
    value = media.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise BadInput(f"{key} is not a number in {low:g}..{high:g}", f"write {key} as a number")
    return value


def _choice(enum: Any, key: str, text: str) -> Any:
    try:
        return enum(text)
    except ValueError:
        words = ", ".join(member.value for member in enum)
        raise BadInput(f"{key} {text[:40]!r} is unknown", f"write one of {words}") from None
