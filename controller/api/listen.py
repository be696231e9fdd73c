"""Where the API is served over TCP: HOST:PORT in words to host, port and TLS. Pure."""

import ipaddress
import re
from dataclasses import dataclass

from common.config.errors import quoted
from common.config.kinds import PORT, Wrong

_FORM = re.compile(r"(?:(?P<scheme>https?)://)?(?P<host>\[[0-9a-fA-F:.]+\]|[^:/]+):(?P<port>[^:/]+)/?")


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
    if not found:
        remedy = "write HOST:PORT or [IPV6]:PORT, with https:// or http:// before it if you like, or off"
        raise Wrong(f"{quoted(text)} is not a valid address to listen at", remedy)
    host, port = found["host"].strip("[]"), PORT.read(found["port"])
    is_tls = found["scheme"] == "https" or (not found["scheme"] and not _is_loopback(host))
    return Listen(text, host, port, is_tls)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
