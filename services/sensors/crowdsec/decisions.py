"""The stream that a CrowdSec API sends to bouncers, and the decisions in force. Pure; time is a parameter.

One value may have several decisions, and the stream does not distinguish their ids (it contains only the
longest one). So value and type are the key, as in CrowdSec's own bouncers.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from common.wire.decisions import Action, RequestedDecision
from services.base.settings import Network
from services.sensors.networks import is_barred, is_too_wide, parse_network, printable
from services.sensors.origin import Because, to_decision
from services.sensors.settings import CrowdSec

ORIGIN = "crowdsec"
_LONGEST_S = 366 * 86_400.0
_MOST_DECISIONS = 100_000
_LONGEST_NAME = 80  # the controller's limit
_DURATION = re.compile(r"(-?)((?:\d{1,12}(?:\.\d{1,12})?(?:h|ms|us|µs|μs|ns|m|s)){1,6})")
_PART = re.compile(r"(\d+(?:\.\d+)?)(\D+)")
_SECONDS_BY_UNIT = {
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ns": 1e-9,
}
# Of several decisions for one value, the strongest action applies.
_STRENGTH = {action: number for number, action in enumerate(Action)}


@dataclass(frozen=True, slots=True)
class Ban:
    network: Network
    type: str
    action: Action
    ends_at: float
    scenario: str
    crowdsec_origin: str
    is_simulated: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes to send to the controller, by value: first those that are gone, then the new ones."""

    gone: tuple[Network, ...] = ()
    new: tuple[Network, ...] = ()


class BadStream(Exception):
    """The answer is not that of a CrowdSec API; the text says why."""


def parse_duration(text: str) -> float | None:
    """Return the seconds of a duration as Go writes it (`3h59m49.2s`, `-1m2s`); None if it is not valid."""
    if text == "0":
        return 0.0
    if not (found := _DURATION.fullmatch(text)):
        return None
    seconds = sum(float(number) * _SECONDS_BY_UNIT[unit] for number, unit in _PART.findall(found[2]))
    return -seconds if found[1] else seconds


class Bans:
    """All current decisions of CrowdSec that the settings select."""

    def __init__(self, settings: CrowdSec) -> None:
        self._settings = settings
        self._by_key: dict[Network, dict[str, Ban]] = {}
        self.left_out = 0

    def __len__(self) -> int:
        return len(self._by_key)

    def begin(self, stream: Any, now: float, tenants: tuple[Network, ...]) -> None:
        """Apply the answer to `startup=true`, which replaces everything. Raise `BadStream`."""
        new = list(_records(stream, "new"))
        self._by_key = {}
        self.left_out = 0
        for record in new:
            self._add(record, now, tenants)

    def apply(self, stream: Any, now: float, tenants: tuple[Network, ...]) -> Changes:
        """Apply the changes since the last answer. Raise `BadStream`."""
        deleted, new = list(_records(stream, "deleted")), list(_records(stream, "new"))
        touched: dict[Network, Ban | None] = {}
        for record in deleted:
            network = parse_network(str(record.get("value", "")))
            if network is not None and network in self._by_key:
                touched.setdefault(network, self.effective(network, now))
                self._remove(network, str(record.get("type", "")).lower())
        for record in new:
            ban = self._parse(record, now, tenants)
            if ban is not None:
                touched.setdefault(ban.network, self.effective(ban.network, now))
                self._put(ban)
        return self._changes(touched, now)

    def expire(self, now: float) -> None:
        """Remove expired decisions; the controller does the same."""
        for network in [each for each in self._by_key if self.effective(each, now) is None]:
            del self._by_key[network]

    def effective(self, network: Network, now: float) -> Ban | None:
        bans = [ban for ban in self._by_key.get(network, {}).values() if ban.ends_at > now]
        return max(bans, key=lambda ban: (_STRENGTH[ban.action], ban.ends_at), default=None)

    def decisions(self, now: float, only: Iterable[Network] | None = None) -> list[RequestedDecision]:
        """Return the decisions that the controller must hold, for all values or for some."""
        wanted = self._by_key if only is None else only
        bans = (self.effective(network, now) for network in wanted)
        return [self._to_decision(ban, now) for ban in bans if ban is not None]

    def _changes(self, touched: Mapping[Network, Ban | None], now: float) -> Changes:
        gone, new = [], []
        for network, before in touched.items():
            after = self.effective(network, now)
            if before is not None and after != before:
                gone.append(network)
            if after is not None and after != before:
                new.append(network)
        return Changes(tuple(gone), tuple(new))

    def _add(self, record: Mapping[str, Any], now: float, tenants: tuple[Network, ...]) -> None:
        if (ban := self._parse(record, now, tenants)) is not None:
            self._put(ban)

    def _put(self, ban: Ban) -> None:
        if ban.network not in self._by_key and len(self._by_key) >= _MOST_DECISIONS:
            self.left_out += 1
            return
        self._by_key.setdefault(ban.network, {})[ban.type] = ban

    def _remove(self, network: Network, kind: str) -> None:
        self._by_key[network].pop(kind, None)
        if not self._by_key[network]:
            del self._by_key[network]

    def _parse(self, record: Mapping[str, Any], now: float, tenants: tuple[Network, ...]) -> Ban | None:
        """Return None for records to skip: other scopes, unmapped types, absurd values, expired ones."""
        settings = self._settings
        kind = str(record.get("type", "")).lower()[:40]
        action = settings.action_by_type.get(kind, settings.other)
        origin = str(record.get("origin", ""))
        if str(record.get("scope", "")).lower() not in ("ip", "range") or action is None:
            return None
        if settings.origins and origin not in settings.origins:
            return None
        network = parse_network(str(record.get("value", "")))
        duration_s = parse_duration(str(record.get("duration", "")))
        if network is None or duration_s is None or is_too_wide(network) or is_barred(network, tenants):
            self.left_out += 1
            return None
        if duration_s <= 0:
            return None
        scenario, ends_at = (
            printable(str(record.get("scenario", "")), _LONGEST_NAME),
            now + min(duration_s, _LONGEST_S),
        )
        simulated = record.get("simulated") is True
        return Ban(network, kind, action, ends_at, scenario, printable(origin, 40), simulated)

    def _to_decision(self, ban: Ban, now: float) -> RequestedDecision:
        meaning = self._settings.meaning
        meaning = replace(meaning, action=ban.action, simulated=meaning.simulated or ban.is_simulated)
        left_s = max(1, math.ceil(ban.ends_at - now))
        reason = f"{ban.type} by CrowdSec ({ban.crowdsec_origin}): {ban.scenario}"
        because = Because(ORIGIN, ban.scenario or ban.type, reason)
        return to_decision(ban.network, meaning, because, left_s)


def _records(stream: Any, key: str) -> Iterator[Mapping[str, Any]]:
    """CrowdSec writes null for an empty list."""
    if not isinstance(stream, dict):
        raise BadStream("not a JSON object")
    records = stream.get(key) or []
    if not isinstance(records, list):
        raise BadStream(f"{key} is not a list")
    return (record for record in records if isinstance(record, dict))
