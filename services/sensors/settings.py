"""The settings of the sensors: parses the operator's YAML into frozen types, or reports every error.

The keys, their defaults and limits are in `grammar`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.config.files import read_text
from common.config.reading import Fields, read_document
from common.config.report import ErrorReport
from common.wire.decisions import Action, OpenSessions
from common.wire.decoy import TenantPrefixes
from services.base.settings import Network, read_settings
from services.sensors.grammar import IGNORE, SENSORS_FILE, Format

_INPUTS = ("file", "stream", "datagram")


@dataclass(frozen=True, slots=True)
class Tenant:
    name: str
    prefixes: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an entry of an origin asks the network to do."""

    action: Action
    confidence: float
    tenant: str
    simulated: bool
    sessions: OpenSessions


@dataclass(frozen=True, slots=True)
class Shape:
    """The format of a feed."""

    format: Format
    column: str  # CSV: its name, or its number from 1
    delimiter: str
    has_header: bool
    key: str  # JSON lines: the key of the prefix


@dataclass(frozen=True, slots=True)
class Guards:
    may_be_empty: bool
    shrink_share: float
    unreadable_share: float
    most_entries: int


@dataclass(frozen=True, slots=True)
class Feed:
    name: str
    source: str
    shape: Shape
    meaning: Meaning
    guards: Guards
    refresh_s: float
    duration_s: float
    keep_for_s: float
    time_limit_s: float
    size_limit_bytes: int

    @property
    def is_url(self) -> bool:
        return not self.source.startswith("/")


@dataclass(frozen=True, slots=True)
class CrowdSec:
    url: str
    key_file: Path
    poll_s: float
    action_by_type: Mapping[str, Action | None]  # None: the type is ignored
    other: Action | None  # for types that are not named
    origins: frozenset[str]
    meaning: Meaning


@dataclass(frozen=True, slots=True)
class Suricata:
    name: str
    file: Path | None
    stream: Path | None
    datagram: Path | None
    least_severity: int


@dataclass(frozen=True, slots=True)
class Settings:
    tenants: tuple[Tenant, ...]
    tenants_file: Path | None
    feeds: tuple[Feed, ...]
    crowdsec: CrowdSec | None
    suricata: tuple[Suricata, ...]


def load_settings(file: Path) -> Settings:
    """Raise `ConfigErrors`, or `OSError` if the file cannot be read."""
    return parse_settings(read_text(file, SENSORS_FILE), str(file))


def parse_settings(text: str, file: str) -> Settings:
    """Raise `ConfigErrors` with every error."""
    top, report = read_document(text, file, SENSORS_FILE)
    _check(top, report)
    report.raise_any()
    tenants = top.get("tenants", {})
    crowdsec = top.get("crowdsec")
    return Settings(
        tenants=() if isinstance(tenants, str) else tuple(Tenant(*each) for each in tenants.items()),
        tenants_file=Path(tenants) if isinstance(tenants, str) else None,
        feeds=tuple(_feed(*each) for each in top["feeds"].items()),
        crowdsec=None if crowdsec is None else _crowdsec(crowdsec),
        suricata=tuple(_suricata(*each) for each in top["suricata"].items()),
    )


def parse_tenants(text: str) -> tuple[Tenant, ...]:
    """Read the file that the controller writes for decoys. Raise `SettingsError`."""
    tenants = read_settings(TenantPrefixes, text).record.tenants
    return tuple(Tenant(tenant.name, tenant.prefixes) for tenant in tenants)


def _check(top: Fields, report: ErrorReport) -> None:
    for name, feed in top.get("feeds", {}).items():
        if feed.has("duration", "refresh") and feed["duration"] <= feed["refresh"]:
            message, remedy = "ends before the next refresh", "make `duration` longer than `refresh`"
            report.add(f"feeds.{name}.duration", message, remedy)
    for name, suricata in top.get("suricata", {}).items():
        given = [key for key in _INPUTS if f"suricata.{name}.{key}" in report.places]
        if suricata.is_whole and len(given) != 1:
            remedy = "give exactly one of file, stream and datagram"
            report.add(f"suricata.{name}", f"has {len(given)} inputs, but needs exactly one", remedy)
    is_refused = any(error.key.split(".")[0] == "tenants" for error in report.errors)
    if top.get("suricata") and not top.get("tenants") and not is_refused:
        message = "the attacker of an alert cannot be found without tenants"
        report.add("suricata", message, "add `tenants:`, a file or prefixes by name")


def _meaning(fields: Fields, action: Action) -> Meaning:
    return Meaning(action, fields["confidence"], fields["tenant"], fields["simulated"], fields["sessions"])


def _feed(name: str, fields: Fields) -> Feed:
    return Feed(
        name=name,
        source=fields["source"],
        shape=Shape(fields["format"], fields["column"], fields["delimiter"], fields["header"], fields["key"]),
        meaning=_meaning(fields, fields["action"]),
        guards=Guards(
            fields["may_be_empty"], fields["shrink_limit"], fields["unreadable_limit"], fields["most_entries"]
        ),
        refresh_s=fields["refresh"],
        duration_s=fields.get("duration", 3 * fields["refresh"]),
        keep_for_s=fields["keep_for"],
        time_limit_s=fields["time_limit"],
        size_limit_bytes=fields["size_limit"],
    )


def _crowdsec(fields: Fields) -> CrowdSec:
    actions = {name: None if action == IGNORE else action for name, action in fields["actions"].items()}
    other = actions.pop("other", None)
    return CrowdSec(
        url=fields["url"].rstrip("/"),
        key_file=Path(fields["key_file"]),
        poll_s=fields["poll"],
        action_by_type=actions,
        other=other,
        origins=frozenset(fields.get("origins", ())),
        meaning=_meaning(fields, Action.DECOY),
    )


def _suricata(name: str, fields: Fields) -> Suricata:
    file, stream, datagram = (Path(fields[key]) if fields.has(key) else None for key in _INPUTS)
    return Suricata(name, file, stream, datagram, fields["least_severity"])
