"""Parses one line of Suricata's EVE log into evidence, or gives the reason to skip it. Pure."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from common.wire.evidence import ReportedEvidence
from common.wire.values import Transport
from services.sensors.networks import printable
from services.sensors.settings import Tenant
from services.sensors.suricata.attacker import NoAttack, find_attack

_WEIGHTS = {1: "high", 2: "medium", 3: "low"}
_TRANSPORTS: Mapping[str, Transport] = {"TCP": "tcp", "UDP": "udp", "ICMP": "icmp", "IPV6-ICMP": "icmp"}


class Skipped(Exception):
    """The line is not evidence. The text says why, as a short name for a counter."""


def parse_line(
    line: bytes, owner: Callable[[str], Tenant | None], least_severity: int
) -> ReportedEvidence | None:
    """Return evidence, or None for events other than alerts. Raise `Skipped`."""
    if b'"alert"' not in line:  # most lines of a busy EVE log are flows and protocol records
        if line.lstrip()[:1] != b"{":
            raise Skipped("garbage")
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        raise Skipped("garbage") from None
    if not isinstance(event, dict):
        raise Skipped("garbage")
    if event.get("event_type") != "alert":
        return None
    details = event.get("alert")
    if not isinstance(details, dict):
        raise Skipped("garbage")
    severity = details.get("severity", 3)
    if not isinstance(severity, int) or severity > least_severity:
        raise Skipped("not severe enough")
    return _evidence(event, details, severity, owner)


def _evidence(
    event: Mapping[str, Any], details: Mapping[str, Any], severity: int, owner: Callable[[str], Tenant | None]
) -> ReportedEvidence:
    attack = find_attack(event, owner)
    if isinstance(attack, NoAttack):
        raise Skipped(attack.why)
    words = (
        _WEIGHTS.get(severity, "low"),
        printable(str(details.get("signature", "")), 160),
        f"sid {details.get('signature_id', 0)!s:.20}",
        printable(str(details.get("category", "")), 80),
    )
    return ReportedEvidence(
        kind="ids-alert",
        source=attack.attacker,
        destination=attack.attacked,
        port=attack.port,
        transport=_TRANSPORTS.get(str(event.get("proto", "")).upper(), ""),
        detail="; ".join(word for word in words if word),
        tenant=attack.tenant,
        trace=_trace(event.get("flow_id")),
    )


def _trace(flow_id: object) -> str:
    return f"{flow_id & (2**64 - 1):016x}" if isinstance(flow_id, int) else ""
