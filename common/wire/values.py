"""Values inside records, and their limits. A limit is beside the type: `Annotated[int, Range(1, 9)]`."""

import re
from collections.abc import Sized
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Annotated, Literal, Protocol

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
_NUMBER = int | float


def is_loopback(host: str) -> bool:
    """Return whether a host, by name or address, is this machine, so that nothing is read in transit."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def network_of(address: Address) -> Network:
    """Return the network that has this address only."""
    number = int(address)  # `ip_network` would write the address as text and read that
    return IPv4Network((number, 32)) if address.version == 4 else IPv6Network((number, 128))


class Limit(Protocol):
    def apply(self, value: object) -> object:
        """Return the value. Raise `ValueError` with what is wrong if it is outside the limit."""


@dataclass(frozen=True, slots=True)
class Range:
    """A number between two others, both included."""

    low: int | float
    high: int | float

    def apply(self, value: object) -> object:
        assert isinstance(value, _NUMBER)
        if not self.low <= value <= self.high:  # this is also true for NaN
            raise ValueError(f"{value!s:.30} is outside {self.low}..{self.high}")
        return value


@dataclass(frozen=True, slots=True)
class AtMost:
    """A list with a maximum number of items."""

    count: int

    def apply(self, value: object) -> object:
        assert isinstance(value, Sized)
        if len(value) > self.count:
            raise ValueError(f"more than {self.count} items")
        return value


@dataclass(frozen=True, slots=True)
class Matching:
    """A text that a regular expression matches completely. `what` names such a text."""

    pattern: str
    what: str

    def apply(self, value: object) -> object:
        assert isinstance(value, str)
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"{value!r:.60} is not {self.what}")
        return value


@dataclass(frozen=True, slots=True)
class SecretBytes:
    """A number of bytes in hex, which no message may show."""

    count: int

    def apply(self, value: object) -> object:
        assert isinstance(value, str)
        if not re.fullmatch(f"[0-9a-fA-F]{{{2 * self.count}}}", value):
            raise ValueError(f"is not {self.count} bytes in hex")
        return value


@dataclass(frozen=True, slots=True)
class Printable:
    """A text of printable characters, with a maximum length."""

    longest: int

    def apply(self, value: object) -> object:
        assert isinstance(value, str)
        if len(value) > self.longest:
            raise ValueError(f"is longer than {self.longest} characters")
        if not value.isprintable():
            raise ValueError("has characters that cannot be printed")
        return value


@dataclass(frozen=True, slots=True)
class Shortened:
    """A text for display, from an untrusted program: cut, with `?` for unprintable characters."""

    longest: int

    def apply(self, value: object) -> object:
        assert isinstance(value, str)
        cut = value[: self.longest]
        return cut if cut.isprintable() else "".join(each if each.isprintable() else "?" for each in cut)


Port = Annotated[int, Range(1, 65_535)]
Count = Annotated[int, Range(0, 2**40)]
PlainText = Annotated[str, Matching(r"[^\r\n\x80-\U0010ffff]{0,500}", "a line of ASCII text")]
Name = Annotated[str, Printable(80)]
Transport = Literal["", "tcp", "udp", "icmp"]
Detail = Annotated[str, Shortened(200)]
