"""What an agent shall look at, and how often: the controller's words in, frozen types out.

Everything has a limit here, too: an agent believes no controller that has it flood its own host.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MOST_CHECKS = 50


class SettingsError(Exception):
    """The controller's answer holds no settings; the text says where."""


@dataclass(frozen=True, slots=True)
class SmtpCheck:
    """Greeting and EHLO, each with a real answer."""

    port: int


@dataclass(frozen=True, slots=True)
class ClamdCheck:
    """PING."""

    port: int


@dataclass(frozen=True, slots=True)
class HttpCheck:
    port: int
    path: str
    status: int


@dataclass(frozen=True, slots=True)
class TcpCheck:
    port: int
    banner: str


Check = SmtpCheck | ClamdCheck | HttpCheck | TcpCheck


@dataclass(frozen=True, slots=True)
class ScannerCheck:
    """What takes longer than a PING, and is looked at less often: age of signatures, and a canary."""

    port: int
    signatures_max_age_s: float
    canary_interval_s: float  # 0: no canary


@dataclass(frozen=True, slots=True)
class AgentSettings:
    interval_s: float
    timeout_s: float
    checks: tuple[Check, ...]
    scanner: ScannerCheck | None


def parse_settings(value: Any) -> AgentSettings:
    """Return the settings. Raise `SettingsError`."""
    top = _mapping(value, "settings")
    checks = top.get("checks")
    if not isinstance(checks, list) or len(checks) > _MOST_CHECKS:
        raise SettingsError(f"checks: not a list of at most {_MOST_CHECKS}")
    scanner = top.get("scanner")
    return AgentSettings(
        _seconds(top, "interval_s", 0.05, 600.0),
        _seconds(top, "timeout_s", 0.01, 600.0),
        tuple(_check(_mapping(each, f"checks.{number}")) for number, each in enumerate(checks)),
        None if scanner is None else _scanner(_mapping(scanner, "scanner")),
    )


def _check(of: Mapping[str, Any]) -> Check:
    port = _number(of, "port", 1, 65_535)
    match of.get("kind"):
        case "smtp":
            return SmtpCheck(port)
        case "clamd":
            return ClamdCheck(port)
        case "http":
            return HttpCheck(port, _text(of, "path"), _number(of, "status", 100, 599))
        case "tcp":
            return TcpCheck(port, _text(of, "banner"))
        case kind:
            raise SettingsError(f"kind: {kind!r} is unknown; remedy: update this agent")


def _scanner(of: Mapping[str, Any]) -> ScannerCheck:
    return ScannerCheck(
        _number(of, "port", 1, 65_535),
        _seconds(of, "signatures_max_age_s", 0.0, 1e9),
        _seconds(of, "canary_interval_s", 0.0, 1e6),
    )


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SettingsError(f"{name}: not an object")
    return value


def _seconds(of: Mapping[str, Any], key: str, low: float, high: float) -> float:
    value = of.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise SettingsError(f"{key}: {value!r} is no time in {low:g}..{high:g} s")
    return float(value)


def _number(of: Mapping[str, Any], key: str, low: int, high: int) -> int:
    value = of.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SettingsError(f"{key}: {value!r} is no number in {low}..{high}")
    return value


def _text(of: Mapping[str, Any], key: str) -> str:
    value = of.get(key)
    if (
        not isinstance(value, str)
        or len(value) > 500
        or not value.isascii()
        or "\n" in value
        or "\r" in value
    ):
        raise SettingsError(f"{key}: {value!r:.100} is no plain text")
    return value
