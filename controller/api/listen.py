"""Where the API is served over TCP: HOST:PORT in words to host, port and TLS. Pure."""

import ipaddress
import re
from dataclasses import dataclass

from common.config.errors import quoted
from common.config.kinds import PORT, Wrong
from common.wire.values import is_loopback

_FORM = re.compile(r"(?:(?P<scheme>https?)://)?(?P<host>\[[^\[\]/]+\]|[^:/\[\]]+):(?P<port>[^:/]+)/?")
_NAME = re.compile(r"(?=.{1,253}$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")


@dataclass(frozen=True, slots=True)
class Listen:
    """`text`: as the operator wrote it. `host`: without the brackets around IPv6."""

    text: str
    host: str
    port: int
    is_tls: bool

    def __str__(self) -> str:
        return self.text


def parse_listen(text: str) -> Listen | None:
    """Return where to listen; None for `off`. Raise `Wrong`.

    HOST:PORT is plain on loopback and TLS elsewhere, because a token could be read in transit; `http://` or
    `https://` before it overrides this.
    """
    if text == "off":
        return None
    found = _FORM.fullmatch(text)
    if not found or not _is_host(found["host"]):
        remedy = "write HOST:PORT or [IPV6]:PORT, with https:// or http:// before it if you like, or off"
        raise Wrong(f"{quoted(text)} is not a valid address to listen at", remedy)
    host, port = found["host"].strip("[]"), PORT.read(found["port"])
    is_tls = found["scheme"] == "https" or (not found["scheme"] and not is_loopback(host))
    return Listen(text, host, port, is_tls)


def _is_host(text: str) -> bool:
    """Return whether a text is an address, IPv6 in brackets, or a host name (RFC 1123, 2.1)."""
    is_address = text.startswith("[") or not text.strip("0123456789.")
    if not is_address:
        return _NAME.fullmatch(text) is not None
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return (address.version == 6) == text.startswith("[")
