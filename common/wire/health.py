"""What a health agent checks, which the controller decides, and what it reports."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from common.wire.codec import Versioned
from common.wire.values import AtMost, Detail, PlainText, Port, Range

_MOST_CHECKS = 50


class CheckKind(StrEnum):
    SMTP = "smtp"
    CLAMD = "clamd"
    HTTP = "http"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class SmtpCheck:
    """Greeting and EHLO, each with a valid reply."""

    port: Port
    kind: Literal[CheckKind.SMTP] = CheckKind.SMTP


@dataclass(frozen=True, slots=True)
class ClamdCheck:
    """PING."""

    port: Port
    kind: Literal[CheckKind.CLAMD] = CheckKind.CLAMD


@dataclass(frozen=True, slots=True)
class HttpCheck:
    """A GET at the member itself that must be answered with this status."""

    port: Port
    path: PlainText = "/"
    status: Annotated[int, Range(100, 599)] = 200
    kind: Literal[CheckKind.HTTP] = CheckKind.HTTP


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """A connection to the member itself; the first data from it must begin with the banner."""

    port: Port
    banner: PlainText = ""  # empty: a connection is enough
    kind: Literal[CheckKind.TCP] = CheckKind.TCP


Check = SmtpCheck | ClamdCheck | HttpCheck | TcpCheck


@dataclass(frozen=True, kw_only=True)
class ScannerRules:
    """How a scanner is checked beyond a PING: age of signatures, and a canary. Times in seconds."""

    signatures_max_age_s: Annotated[float, Range(0, 1_000_000_000)] = 7 * 86_400.0
    canary_interval_s: Annotated[float, Range(0, 1_000_000)] = 10.0  # 0: no canary


@dataclass(frozen=True, kw_only=True)
class ScannerCheck(ScannerRules):
    port: Port


@dataclass(frozen=True, kw_only=True)
class CheckTimes:
    """How often an agent checks, and how long an answer may take. Times in seconds."""

    interval_s: Annotated[float, Range(0.05, 600)] = 0.3
    timeout_s: Annotated[float, Range(0.01, 600)] = 0.8


@dataclass(frozen=True, kw_only=True)
class AgentSettings(CheckTimes, Versioned):
    """What a member's agent does. Everything has a limit, so an agent never floods its own host."""

    checks: Annotated[tuple[Check, ...], AtMost(_MOST_CHECKS)]
    scanner: ScannerCheck | None = None


@dataclass(frozen=True, slots=True)
class HealthReport(Versioned):
    """What an agent reports: whether the member is healthy, why not, and why it is stale if it is.

    `failed`: the kinds of the checks that failed, each once. Agents of the first release do not report it.
    """

    good: bool
    detail: Detail = ""
    stale: Detail = ""
    failed: Annotated[tuple[CheckKind, ...], AtMost(len(CheckKind))] = ()
