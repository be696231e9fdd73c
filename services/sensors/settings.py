"""The settings of the sensors: YAML that an operator writes, frozen types out, or an error with its line.

Every key, its default and its limits are here and in docs/sensors.md, and nowhere else.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from services.base.settings import Network, Reader, SettingsError
from services.sensors.reading import Item, Record, read_top

FORMAT = "1"
_MINUTE, _HOUR, _DAY, _YEAR = 60.0, 3600.0, 86_400.0, 366 * 86_400.0
_ACTIONS = ("decoy", "drop", "limit", "watch")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_MOST_FEEDS, _MOST_TENANTS, _MOST_PREFIXES = 100, 10_000, 1_000


class Format(StrEnum):
    LIST = "list"
    JSON_LINES = "json-lines"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Tenant:
    name: str
    prefixes: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an entry of an origin asks the network to do."""

    action: str
    confidence: float
    tenant: str
    simulated: bool
    sessions: str


@dataclass(frozen=True, slots=True)
class Shape:
    """How a feed is written."""

    format: Format
    column: str  # CSV: its name, or its number from 1
    delimiter: str
    has_header: bool
    key: str  # JSON lines: where the prefix stands


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
    action_by_type: Mapping[str, str]  # what is not named here is ignored
    other: str  # "" ignores
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


def parse_settings(text: str, file: str) -> Settings:
    """Raise `SettingsError` on the first thing that is not exactly understood."""
    top = read_top(text, file)
    version = top.need("postern-sensors")
    version.one_of(FORMAT)
    nobody: tuple[tuple[Tenant, ...], Path | None] = ((), None)
    tenants, tenants_file = top.take("tenants", _tenants, nobody)
    settings = Settings(
        tenants,
        tenants_file,
        top.take("feeds", lambda item: tuple(_feed(*each) for each in _named(item)), ()),
        top.take("crowdsec", _crowdsec, None),
        top.take("suricata", lambda item: tuple(_suricata(*each) for each in _named(item)), ()),
    )
    top.close()
    if settings.suricata and not (settings.tenants or settings.tenants_file):
        raise top.need("suricata").fail(
            "who attacks whom cannot be told without tenants", "add `tenants:`, a file or prefixes by name"
        )
    return settings


def parse_tenants(text: str) -> tuple[Tenant, ...]:
    """Read the file that the controller writes for decoys. Raise `SettingsError`."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"not JSON: {error}; remedy: let the controller write the file again") from error
    return tuple(map(_tenant, Reader(value, "").records("tenants")))


def _tenant(reader: Reader) -> Tenant:
    return Tenant(reader.take("name", str), reader.networks("prefixes"))


def _named(item: Item) -> list[tuple[str, Item]]:
    """Return the entries of a mapping whose keys are names that become part of an origin."""
    entries = list(item.record().values.items())
    if len(entries) > _MOST_FEEDS:
        raise item.fail(f"more than {_MOST_FEEDS} entries", "remove some")
    for name, each in entries:
        if not _NAME.fullmatch(name):
            raise each.fail("not a name", "use small letters, digits, - and _, at most 40")
    return entries


def _tenants(item: Item) -> tuple[tuple[Tenant, ...], Path | None]:
    if item.is_scalar:
        return (), _path(item)
    entries = list(item.record().values.items())
    if len(entries) > _MOST_TENANTS:
        raise item.fail(f"more than {_MOST_TENANTS} tenants", "name the controller's file instead")
    return tuple(
        Tenant(name, tuple(map(_prefix, each.items(_MOST_PREFIXES)))) for name, each in entries
    ), None


def _prefix(item: Item) -> Network:
    try:
        return ip_network(item.text())
    except ValueError as error:
        raise item.fail(f"no prefix: {error}", "write it as 203.0.113.0/26") from error


def _path(item: Item) -> Path:
    if not item.text().startswith("/"):
        raise item.fail(f"{item.text()!r:.100} is no absolute path", "begin with /")
    return Path(item.text())


def _meaning(of: Record, action: str, confidence: float) -> Meaning:
    return Meaning(
        action,
        of.take("confidence", lambda item: item.number(0.0, 1.0), confidence),
        of.take("tenant", Item.text, ""),
        of.take("simulated", Item.flag, False),
        of.take("sessions", lambda item: item.one_of("keep", "cut"), "keep"),
    )


def _feed(name: str, item: Item) -> Feed:
    of = item.record()
    refresh_s = of.take("refresh", lambda item: item.seconds(1, 30 * _DAY), 12 * _HOUR)
    feed = Feed(
        name,
        _source(of.need("source")),
        _shape(of),
        _meaning(of, of.take("action", lambda item: item.one_of(*_ACTIONS), "drop"), 0.9),
        Guards(
            of.take("may_be_empty", Item.flag, False),
            of.take("shrink_limit", Item.share, 0.5),
            of.take("unreadable_limit", Item.share, 0.1),
            int(of.take("most_entries", lambda item: item.number(1, 100_000), 100_000.0)),
        ),
        refresh_s,
        of.take("duration", lambda item: item.seconds(10, _YEAR), 3 * refresh_s),
        of.take("keep_for", lambda item: item.seconds(_MINUTE, _YEAR), 7 * _DAY),
        of.take("time_limit", lambda item: item.seconds(1, 600), 60.0),
        of.take("size_limit", lambda item: item.size(1, 256 * 1024**2), 16 * 1024**2),
    )
    of.close()
    if feed.duration_s <= feed.refresh_s:
        raise item.fail("duration ends before the next refresh", "make duration longer than refresh")
    return feed


def _source(item: Item) -> str:
    text = item.text()
    if text.startswith("/"):
        return text
    return _url(item, text)


def _url(item: Item, text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isascii() or " " in text:
        raise item.fail(f"{text!r:.100} is no source", "an https:// or http:// URL, or an absolute path")
    return text


def _shape(of: Record) -> Shape:
    return Shape(
        Format(of.take("format", lambda item: item.one_of(*Format), Format.LIST.value)),
        of.take("column", Item.text, "1"),
        of.take("delimiter", _delimiter, ","),
        of.take("header", Item.flag, False),
        of.take("key", Item.text, "cidr"),
    )


def _delimiter(item: Item) -> str:
    text = {"tab": "\t"}.get(item.text(), item.text())
    if len(text) != 1:
        raise item.fail("a delimiter is one character", "write ',', ';' or tab")
    return text


def _crowdsec(item: Item) -> CrowdSec:
    of = item.record()
    actions = of.take("actions", _action_by_type, {"ban": "decoy", "captcha": "decoy", "other": "watch"})
    url = of.take("url", lambda each: _url(each, each.text()), "http://127.0.0.1:8080")
    crowdsec = CrowdSec(
        url.rstrip("/"),
        _path(of.need("key_file")),
        of.take("poll", lambda item: item.seconds(0.1, _HOUR), 10.0),
        {name: action for name, action in actions.items() if name != "other"},
        actions.get("other", ""),
        of.take("origins", lambda item: frozenset(each.text() for each in item.items(20)), frozenset()),
        _meaning(of, "decoy", 0.8),
    )
    of.close()
    return crowdsec


def _action_by_type(item: Item) -> dict[str, str]:
    wanted = {name: each.one_of(*_ACTIONS, "ignore") for name, each in item.record().values.items()}
    return {name: "" if action == "ignore" else action for name, action in wanted.items()}


def _suricata(name: str, item: Item) -> Suricata:
    of = item.record()
    suricata = Suricata(
        name,
        of.take("file", _path, None),
        of.take("stream", _path, None),
        of.take("datagram", _path, None),
        int(of.take("least_severity", lambda item: item.number(1, 255), 3.0)),
    )
    of.close()
    if sum(each is not None for each in (suricata.file, suricata.stream, suricata.datagram)) != 1:
        raise item.fail("one input is wanted", "give one of file, stream, datagram")
    return suricata
