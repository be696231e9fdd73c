"""Every record between controller and hosts, with a file of it as the first release wrote it."""

import json
from pathlib import Path
from typing import Any

from common.wire.antivirus import AntivirusSettings
from common.wire.codec import Versioned
from common.wire.decisions import RequestedAllowance, RequestedDecision
from common.wire.decoy import DecoySettings
from common.wire.evidence import ReportedEvidence
from common.wire.generations import Manifest, RingTarget
from common.wire.health import AgentSettings, HealthReport
from common.wire.mail import MailSettings
from common.wire.responder import ResponderSettings
from common.wire.signatures import ServerReport, SignatureReport

_GOLDEN = Path(__file__).parent / "golden"
KIND_BY_FILE: dict[str, type[Versioned]] = {
    "mail_proxy": MailSettings,
    "mail_scanner": MailSettings,
    "responder": ResponderSettings,
    "decoy": DecoySettings,
    "antivirus": AntivirusSettings,
    "health_agent_gateway": AgentSettings,
    "health_agent_scanner": AgentSettings,
    "health_agent_services": AgentSettings,
    "health_report": HealthReport,
    "evidence": ReportedEvidence,
    "requested_allowance": RequestedAllowance,
    "requested_decision": RequestedDecision,
    "generation_manifest": Manifest,
    "ring_target": RingTarget,
    "signature_report": SignatureReport,
    "antivirus_server_report": ServerReport,
}


def golden(file: str) -> dict[str, Any]:
    """Return what stands in a golden file. It is never written anew: it is the contract with old hosts."""
    media: dict[str, Any] = json.loads((_GOLDEN / f"{file}.json").read_text(encoding="utf-8"))
    return media
