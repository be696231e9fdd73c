"""Kinds of scalar values: how each is read from text, and its JSON Schema. One spelling in every file.

A reader raises `Wrong` with what is wrong and a remedy; the caller knows the place.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from common.config.errors import quoted
from common.special_addresses import NO_HOSTS
from common.wire.values import Address, Network

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_SIZE = re.compile(r"(?P<number>[0-9]{1,12}) ?(?P<unit>B|KiB|MiB|GiB)?")
_OTHER_SIZE = re.compile(r"(?P<number>[0-9]{1,12}) ?(?P<unit>[kKmMgG])[iI]?[bB]?")
_UNITS = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_DURATION = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DECIMAL = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_PERCENTAGE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%")
_NETWORK = re.compile(r"[0-9a-fA-F:.]{1,45}(/[0-9]{1,3})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_EXCEPT_BREAKS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ANY_SCALAR = {"type": ["string", "number", "boolean", "null"]}  # 123456 and yes are also texts
_SWITCHES = {"on": True, "true": True, "yes": True, "1": True}
_SWITCHES |= {"off": False, "false": False, "no": False, "0": False}
_MOST_LISTED = 12
_MOST_COMPARED = 200
_LONGEST_COMPARED = 100


class Wrong(Exception):
    """A value that cannot be read, with a remedy."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


@dataclass(frozen=True)
class Kind:
    """A scalar: its name in the reference, how to read it, its JSON Schema; the words of a choice.

    The names of fields that hold its values end with its unit.
    """

    name: str
    read: Callable[[str], Any]
    schema: dict[str, Any]
    words: tuple[str, ...] = ()
    unit: str = ""


def listed(things: Sequence[object]) -> str:
    """Return a list fit for one line: the first ones, and how many more there are."""
    more = len(things) - _MOST_LISTED
    return ", ".join(map(str, things[:_MOST_LISTED])) + (f" and {more} more" if more > 0 else "")


def suggestion(text: str, known: Sequence[str]) -> str:
    """Return a hint at the nearest known word, or an empty text."""
    if len(known) > _MOST_COMPARED or len(text) > _LONGEST_COMPARED:
        return ""  # comparing takes time, and there may be many mistakes
    close = get_close_matches(text, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def choice(words: Iterable[str], name: str = "") -> Kind:
    """Return the kind of a choice of words; with a `StrEnum`, the value is its member."""
    by_text = {str(word): word for word in words}
    texts = tuple(by_text)

    def read(text: str) -> str:
        if text not in by_text:
            remedy = f"write one of {listed(texts)}{suggestion(text, texts)}"
            raise Wrong(f"{quoted(text)} is not a valid value", remedy)
        return by_text[text]

    return Kind(name or " or ".join(f"`{word}`" for word in texts), read, {"enum": _in_json(texts)}, texts)


def _in_json(texts: tuple[str, ...]) -> list[str | float]:
    """Return the words as an editor reads them: in YAML, 1.2 is a number."""
    return [*texts, *(float(text) for text in texts if _DECIMAL.fullmatch(text))]


def matching(name: str, pattern: str, remedy: str) -> Kind:
    """Return the kind of a text with a pattern (a regular expression for both Python and JSON Schema)."""
    compiled = re.compile(pattern)

    def read(text: str) -> str:
        if not compiled.fullmatch(text):
            raise Wrong(f"{quoted(text)} is not a valid {name}", remedy)
        return text

    return Kind(name, read, {"type": "string", "pattern": f"^({pattern})$"})


def format_number(number: int) -> Kind:
    """Return the kind of the number of a file's format."""

    def read(text: str) -> int:
        if text != str(number):
            raise Wrong(f"format {quoted(text)} is not supported", f"write {number}")
        return number

    return Kind(f"`{number}`", read, {"const": number})


def whole_number(low: int, high: int, name: str = "") -> Kind:
    def read(text: str) -> int:
        try:
            number = int(text, 0) if re.fullmatch(r"0x[0-9a-fA-F]{1,16}|[0-9]{1,20}", text) else -1
        except ValueError:  # such as 007
            number = -1
        if not low <= number <= high:
            raise Wrong(f"{quoted(text)} is not a valid number ({low} to {high})", f"write {low} to {high}")
        return number

    return Kind(name or f"{low}..{high}", read, {"type": "integer", "minimum": low, "maximum": high})


def number_or_off(low: int, high: int) -> Kind:
    """Return the kind of a limit that can be turned off: then its value is 0."""
    number = whole_number(low, high)

    def read(text: str) -> int:
        return 0 if text == "off" else int(number.read(text))

    return Kind(f"{number.name} or `off`", read, {"anyOf": [number.schema, {"const": "off"}]})


def decimal(low: float, high: float) -> Kind:
    def read(text: str) -> float:
        number = float(text) if _DECIMAL.fullmatch(text) else -1.0
        if not low <= number <= high:
            raise Wrong(
                f"{quoted(text)} is not a valid number ({low:g} to {high:g})", f"write {low:g} to {high:g}"
            )
        return number

    return Kind(f"number, {low:g} to {high:g}", read, {"type": "number", "minimum": low, "maximum": high})


def duration(least: str, most: str) -> Kind:
    """Return the kind of a duration between two others. Values are seconds."""
    low, high = _seconds(least), _seconds(most)

    def read(text: str) -> float:
        seconds = _seconds(text) if _DURATION.fullmatch(text) else -1.0
        if not low <= seconds <= high:
            raise Wrong(
                f"{quoted(text)} is not a valid duration ({least} to {most})",
                "write a whole number and ms, s, m, h or d: 10m",
            )
        return seconds

    pattern = "^[0-9]{1,9}(ms|s|m|h|d)$"
    return Kind(f"duration, {least} to {most}", read, {"type": "string", "pattern": pattern}, unit="_s")


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    assert found
    return int(found["number"]) * _SECONDS[found["unit"]]


def size(least: str, most: str) -> Kind:
    """Return the kind of a size between two others. Values are bytes."""
    low, high = _bytes(least), _bytes(most)

    def read(text: str) -> int:
        if not low <= _bytes(text) <= high:
            other = _OTHER_SIZE.fullmatch(text)
            remedy = (
                f"write {other['number']}{other['unit'].upper()}iB"
                if other
                else "write bytes, or a unit: 25MiB"
            )
            raise Wrong(f"{quoted(text)} is not a valid size ({least} to {most})", remedy)
        return _bytes(text)

    schema = {"type": ["string", "integer"], "pattern": "^[0-9]+ ?(B|KiB|MiB|GiB)?$"}
    return Kind(f"size, {least} to {most}", read, schema, unit="_bytes")


def _bytes(text: str) -> int:
    found = _SIZE.fullmatch(text)
    return int(found["number"]) * _UNITS[found["unit"]] if found else -1


def line(name: str = "text line", longest: int = 2_000) -> Kind:
    """Return the kind of a text of one line, with a maximum length in characters."""
    return _text(name, _CONTROL, longest)


def lines(name: str = "text", longest: int = 256 * 1024) -> Kind:
    """Return the kind of a text that may have several lines, with a maximum length in characters."""
    return _text(name, _CONTROL_EXCEPT_BREAKS, longest)


def _text(name: str, refused: re.Pattern[str], longest: int) -> Kind:
    def read(text: str) -> str:
        if len(text) > longest:
            raise Wrong(f"is longer than {longest} characters", "shorten it")
        if found := refused.search(text):
            raise Wrong(f"contains the control character {quoted(found[0])}", "remove it")
        return text

    return Kind(name, read, {**_ANY_SCALAR, "maxLength": longest})


def _read_mac(text: str) -> str:
    mac = text.lower()
    if not _MAC.fullmatch(mac):
        raise Wrong(
            f"{quoted(text)} is not a valid MAC address", "write six pairs of hex digits: 02:aa:00:00:00:01"
        )
    if int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise Wrong(f"{mac} is not the MAC of one host", "write a unicast address: 02:aa:00:00:00:01")
    return mac


def _read_address(text: str) -> Address:
    try:
        address = ip_address(text)
    except ValueError:
        raise Wrong(
            f"{quoted(text)} is not a valid IP address", "write 203.0.113.10 or 2001:db8::10"
        ) from None
    if "%" in text or any(address in network for network in NO_HOSTS):
        raise Wrong(f"{address} is not the address of one host", "write a unicast address without a zone")
    return address


def _read_network(text: str) -> Network:
    try:
        if not _NETWORK.fullmatch(text):  # ipaddress also takes masks and zones
            raise ValueError
        network = ip_network(text, strict=False)
    except ValueError:
        raise Wrong(
            f"{quoted(text)} is not a valid prefix", "write 203.0.113.0/24 or 2001:db8:a::/48"
        ) from None
    if network.network_address != ip_address(text.split("/")[0]):
        raise Wrong(f"{quoted(text)} has host bits set", f"write {network}")
    return network


def _read_flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise Wrong(f"{quoted(text)} is neither true nor false", "write true or false")
    return text == "true"


def _read_switch(text: str) -> bool:
    if text.lower() not in _SWITCHES:
        raise Wrong(f"{quoted(text)} is neither on nor off", "write on or off")
    return _SWITCHES[text.lower()]


def _read_file(text: str) -> str:
    if not text.startswith("/") or not text.isprintable() or len(text) > 4096:
        raise Wrong(f"{quoted(text)} is not an absolute path", "write the whole path: /etc/postern/acme.pem")
    return text


def _read_percentage(text: str) -> float:
    found = _PERCENTAGE.fullmatch(text)
    if not found or float(found[1]) > 100:
        raise Wrong(f"{quoted(text)} is not a valid percentage", "write 0% to 100%: 50%")
    return float(found[1]) / 100


def _read_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # such as a port that is not a number
        is_good = False
    if not is_good or not re.fullmatch("[!-~]{1,2000}", text):
        raise Wrong(f"{quoted(text)} is not a valid URL", "write https://HOST/PATH or http://HOST/PATH")
    return text


NAME = matching(
    "name", "[a-z0-9][a-z0-9-]{0,30}", "use a-z, 0-9 and -, at most 31 characters, not beginning with -"
)
MAC = Kind("MAC address", _read_mac, {"type": "string", "pattern": "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$"})
ADDRESS = Kind("IP address", _read_address, {"type": "string", "pattern": "^[0-9a-fA-F:.]+$"})
NETWORK = Kind("IP prefix", _read_network, {"type": "string", "pattern": "^[0-9a-fA-F:.]+(/[0-9]{1,3})?$"})
FLAG = Kind("true or false", _read_flag, {"type": "boolean"})
# Of the environment and of Ryu's files, which know all these words; YAML has `FLAG`.
SWITCH = Kind("on or off", _read_switch, {"enum": list(_SWITCHES)})
FILE = Kind("absolute path", _read_file, {"type": "string", "pattern": "^/"})
PERCENTAGE = Kind("percentage", _read_percentage, {"type": "string", "pattern": "^[0-9.]+ ?%$"})
URL = Kind("URL", _read_url, {"type": "string", "pattern": "^https?://[!-~]+$"})
PORT = whole_number(1, 65_535, "TCP or UDP port")
