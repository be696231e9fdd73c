"""The kinds of values that a policy holds: how each is read from text, and its JSON Schema.

A reader raises `Wrong` with what is wrong and a remedy; the caller knows where.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Any

from controller.errors import quoted
from controller.policy.model import Address, Network, PortRef

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_PORT_REF = re.compile(r"(?P<switch>[a-z0-9][a-z0-9-]{0,30}):(?P<port>[0-9]{1,10})")
_SIZE = re.compile(r"(?P<number>[0-9]{1,12}) ?(?P<unit>B|KiB|MiB|GiB)?")
_PATTERN = re.compile(r"[!-~]{1,320}")
_DURATION = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_PLAIN_DURATION = "[0-9]{1,9}(ms|s|m|h|d)"
_URL_PATH = re.compile(r"/[!-~]{0,500}")
_BANNER = re.compile(r"[ -~]{1,100}")
_UNITS = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_NETWORK = re.compile(r"[0-9a-fA-F:.]{1,45}(/[0-9]{1,3})?")
_MOST_LISTED = 12
_MOST_COMPARED = 200
_NO_HOSTS = tuple(
    map(
        ip_network,
        ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/128", "::1/128", "::ffff:0.0.0.0/96", "ff00::/8"),
    )
)
_LARGEST_PORT = 0xFEFF  # what every switch of today numbers itself; OFPP_MAX is larger


class Wrong(Exception):
    """A value that cannot be read, with a remedy."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


@dataclass(frozen=True)
class Kind:
    """A scalar: its name in the reference, how to read it, its JSON Schema."""

    name: str
    read: Callable[[str], Any]
    schema: dict[str, Any]


def listed(things: Sequence[object]) -> str:
    """Return a list fit for one line: the first ones, and how many more there are."""
    more = len(things) - _MOST_LISTED
    return ", ".join(map(str, things[:_MOST_LISTED])) + (f" and {more} more" if more > 0 else "")


def suggestion(text: str, known: list[str]) -> str:
    if len(known) > _MOST_COMPARED:  # comparing takes time, and many mistakes may each ask for it
        return ""
    close = get_close_matches(text, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def choice(enum: type[StrEnum]) -> Kind:
    words = [member.value for member in enum]

    def read(text: str) -> StrEnum:
        if text not in words:
            raise Wrong(
                f"unknown value {quoted(text)}", f"write one of {', '.join(words)}{suggestion(text, words)}"
            )
        return enum(text)

    return Kind(" or ".join(f"`{word}`" for word in words), read, {"enum": words})


def whole_number(name: str, low: int, high: int) -> Kind:
    def read(text: str) -> int:
        try:
            number = int(text, 0) if re.fullmatch(r"0x[0-9a-fA-F]{1,16}|[0-9]{1,20}", text) else -1
        except ValueError:  # such as 007
            number = -1
        if not low <= number <= high:
            if low == high:
                raise Wrong(f"{quoted(text)} is not {low}", f"write {low}")
            raise Wrong(f"{quoted(text)} is no whole number in {low}..{high}", f"write {low} to {high}")
        return number

    return Kind(name, read, {"type": "integer", "minimum": low, "maximum": high})


def duration(least: str, most: str) -> Kind:
    """Return the kind of a time between two others. Values are seconds."""
    low, high = _seconds(least), _seconds(most)

    def read(text: str) -> float:
        seconds = _seconds(text) if _DURATION.fullmatch(text) else -1.0
        if not low <= seconds <= high:
            raise Wrong(
                f"{quoted(text)} is no time in {least}..{most}", "write a number and ms, s, m, h or d: 10m"
            )
        return seconds

    return Kind(f"time, {least} to {most}", read, {"type": "string", "pattern": f"^{_PLAIN_DURATION}$"})


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    assert found
    return int(found["number"]) * _SECONDS[found["unit"]]


def _read_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise Wrong(f"{quoted(text)} is no name", "use a-z, 0-9 and -, at most 31, not beginning with -")
    return text


def _read_mac(text: str) -> str:
    mac = text.lower()
    if not _MAC.fullmatch(mac):
        raise Wrong(f"{quoted(text)} is no MAC address", "write six pairs of hex digits: 02:aa:00:00:00:01")
    if int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise Wrong(f"{mac} is not the MAC of one host", "write a unicast address: 02:aa:00:00:00:01")
    return mac


def _read_address(text: str) -> Address:
    try:
        address = ip_address(text)
    except ValueError:
        raise Wrong(f"{quoted(text)} is no IP address", "write 203.0.113.10 or 2001:db8::10") from None
    if "%" in text or any(address in network for network in _NO_HOSTS):
        raise Wrong(f"{address} is not the address of one host", "write a unicast address without a zone")
    return address


def _read_network(text: str) -> Network:
    try:
        if not _NETWORK.fullmatch(text):  # ipaddress also takes masks and zones
            raise ValueError
        network = ip_network(text, strict=False)
    except ValueError:
        raise Wrong(f"{quoted(text)} is no prefix", "write 203.0.113.0/24 or 2001:db8:a::/48") from None
    if network.network_address != ip_address(text.split("/")[0]):
        raise Wrong(f"{quoted(text)} has bits set behind its prefix", f"write {network}")
    return network


def _read_prefix(text: str) -> Network:
    network = _read_network(text)
    if any(network.overlaps(other) for other in _NO_HOSTS):
        raise Wrong(f"{network} cannot belong to a tenant", "write the tenant's own unicast prefix")
    return network


def _read_port_ref(text: str) -> PortRef:
    found = _PORT_REF.fullmatch(text)
    if not found or not 1 <= int(found["port"]) <= _LARGEST_PORT:
        raise Wrong(
            f"{quoted(text)} is no switch port", f"write SWITCH:PORT with a port in 1..{_LARGEST_PORT}: s1:4"
        )
    return PortRef(found["switch"], int(found["port"]))


def _read_size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    size = int(found["number"]) * _UNITS[found["unit"]] if found else 0
    if not 1024 <= size <= 1024**3:
        raise Wrong(f"{quoted(text)} is no size in 1KiB..1GiB", "write bytes, or a unit: 25MiB")
    return size


def _read_flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise Wrong(f"{quoted(text)} is neither true nor false", "write true or false")
    return text == "true"


def _read_pattern(text: str) -> str:
    if not _PATTERN.fullmatch(text):
        raise Wrong(f"{quoted(text)} is no address pattern", "write user@domain.example, or * for any part")
    return text.lower()


def _read_file(text: str) -> str:
    if not text.startswith("/") or not text.isprintable() or len(text) > 4096:
        raise Wrong(f"{quoted(text)} is no absolute path", "write the whole path: /etc/postern/acme.pem")
    return text


def _read_url_path(text: str) -> str:
    if not _URL_PATH.fullmatch(text):
        raise Wrong(f"{quoted(text)} is no path of a web page", "begin with /, without spaces: /daily.cvd")
    return text


def _read_banner(text: str) -> str:
    if not _BANNER.fullmatch(text):
        raise Wrong(f"{quoted(text)} is no banner", "write its first letters, plain ones: SSH-2.0-")
    return text


NAME = Kind("name", _read_name, {"type": "string", "pattern": f"^{_NAME.pattern}$"})
MAC = Kind("MAC", _read_mac, {"type": "string", "pattern": "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$"})
ADDRESS = Kind("IP address", _read_address, {"type": "string", "pattern": "^[0-9a-fA-F:.]+$"})
NETWORK = Kind("IP prefix", _read_network, {"type": "string", "pattern": "^[0-9a-fA-F:.]+(/[0-9]{1,3})?$"})
PREFIX = Kind("IP prefix", _read_prefix, NETWORK.schema)
PORT_REF = Kind("SWITCH:PORT", _read_port_ref, {"type": "string", "pattern": f"^{_NAME.pattern}:[0-9]+$"})
SIZE = Kind("size", _read_size, {"type": ["string", "integer"], "pattern": "^[0-9]+ ?(B|KiB|MiB|GiB)?$"})
FLAG = Kind("true or false", _read_flag, {"type": "boolean"})
PATTERN = Kind("address pattern", _read_pattern, {"type": "string", "maxLength": 320})
FILE = Kind("absolute path", _read_file, {"type": "string", "pattern": "^/"})
URL_PATH = Kind("path of a web page", _read_url_path, {"type": "string", "pattern": "^/[!-~]{0,500}$"})
BANNER = Kind("text", _read_banner, {"type": "string", "pattern": "^[ -~]{1,100}$"})
