"""The address of the controller's API and the credentials for it, with the same options in every program.

`--api unix:PATH` needs no token: the socket's owner and mode decide which users may connect. `--api
https://HOST:PORT` needs a token (RFC 6750), and a certificate to trust unless the system already trusts it.
`http://` is for loopback only, where the token cannot be read in transit.
"""

import argparse
import os
import ssl
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from common.wire.values import is_loopback

DEFAULT_API = "unix:/run/postern/api.sock"
DEFAULT_TOKEN_FILE = "/etc/postern/token"
_LARGEST_TOKEN_BYTES = 1_024
_WRITE_TOKEN = "remedy: write into it what `postern token add` prints"
_FORMS = "unix:/path/of/the.sock or https://HOST:PORT"


class ApiAccessError(Exception):
    """This address, token or certificate cannot be used; the text says why, with a remedy."""


@dataclass(frozen=True, slots=True)
class ApiAddress:
    """The place of the API: the path of a unix socket, or a host with a port."""

    text: str
    socket: str = ""
    host: str = ""
    port: int = 0
    is_tls: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class ApiAccess:
    """An address, and the credentials for it. `ca_file` (PEM): None means the system's authorities."""

    address: ApiAddress
    token_file: Path = Path(DEFAULT_TOKEN_FILE)
    ca_file: Path | None = None

    def headers(self) -> dict[str, str]:
        """Return the headers of a request. Raise `ApiAccessError`.

        The token is read each time, so a new one is used at once.
        """
        return {} if self.address.socket else {"Authorization": f"Bearer {read_token(self.token_file)}"}

    def tls_context(self) -> ssl.SSLContext | None:
        """Return how to check the controller's certificate; None: the address is not TLS.

        Raise `ApiAccessError`.
        """
        return _context_for(self.ca_file) if self.address.is_tls else None


@lru_cache(maxsize=4)  # the system's list of authorities takes milliseconds to load
def _context_for(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ValueError) as error:  # also of `ssl`
        remedy = "remedy: name a copy of the controller's api/certificate.pem with --ca-file"
        raise ApiAccessError(f"{ca_file}: {error}; {remedy}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def parse_address(text: str) -> ApiAddress:
    """Raise `ApiAccessError` if this is not the address of an API."""
    if text.startswith("unix:") and len(text) > len("unix:"):
        return ApiAddress(text, socket=text.removeprefix("unix:"))
    if text.startswith(("/", "./", "../")):
        raise ApiAccessError(f"{text} is a plain path; remedy: write unix:{text}")
    return _parse_url(text)


def _parse_url(text: str) -> ApiAddress:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port or 0
    except ValueError as error:
        raise ApiAccessError(f"{text}: {error}; remedy: write {_FORMS}") from error
    is_bare = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    if parts.scheme not in ("http", "https") or not (host and port and is_bare):
        raise ApiAccessError(
            f"{text or 'an empty text'} is not the address of an API; remedy: write {_FORMS}"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise ApiAccessError(f"{text}: without TLS others could read the token; remedy: write https://")
    return ApiAddress(f"{parts.scheme}://{parts.netloc}", "", host, port, parts.scheme == "https")


def read_token(file: Path) -> str:
    """Return the token in a file that only its owner may read. Raise `ApiAccessError`."""
    try:
        with file.open("rb") as opened:
            if os.fstat(opened.fileno()).st_mode & 0o077:
                raise ApiAccessError(f"{file}: other users may read this token; remedy: chmod 600 {file}")
            token = opened.read(_LARGEST_TOKEN_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ApiAccessError(
            f"{file}: {reason}; {_WRITE_TOKEN}, or name another with --token-file"
        ) from error
    if not token or not token.isprintable() or " " in token:
        raise ApiAccessError(f"{file}: contains no valid token; {_WRITE_TOKEN}")
    return token


def add_api_options(parser: argparse.ArgumentParser, default: str = DEFAULT_API, without: str = "") -> None:
    """Add `--api`, `--token-file` and `--ca-file`.

    `default`: used if neither `--api` nor POSTERN_API is given. Empty: there is none, and `without` says
    what the program then does not do.
    """
    parser.add_argument(
        "--api",
        type=_address_of_argument,
        default=os.environ.get("POSTERN_API") or default or None,
        metavar="ADDRESS",
        help="the controller's API: unix:PATH, or https://HOST:PORT "
        f"(default: $POSTERN_API, otherwise {default or without})",
    )
    add_token_options(parser)


def add_socket_option(parser: argparse.ArgumentParser, without: str) -> None:
    """Add `--api` for a program that may open no TCP connection; `without` says what it does without it."""
    parser.add_argument(
        "--api",
        type=_socket_of_argument,
        default=os.environ.get("POSTERN_API") or None,
        metavar="unix:PATH",
        help=f"the controller's API (default: $POSTERN_API, otherwise {without})",
    )


def add_token_options(parser: argparse.ArgumentParser) -> None:
    """Add `--token-file` and `--ca-file`."""
    parser.add_argument(
        "--token-file",
        type=Path,
        default=Path(os.environ.get("POSTERN_TOKEN_FILE") or DEFAULT_TOKEN_FILE),
        metavar="FILE",
        help="file with the token for https:// "
        f"(default: $POSTERN_TOKEN_FILE, otherwise {DEFAULT_TOKEN_FILE})",
    )
    parser.add_argument(
        "--ca-file",
        type=Path,
        default=_path_or_none(os.environ.get("POSTERN_CA_FILE")),
        metavar="FILE",
        help="certificate (PEM) to trust for https:// (default: $POSTERN_CA_FILE, otherwise the system's)",
    )


def _path_or_none(text: str | None) -> Path | None:
    return Path(text) if text else None


def _address_of_argument(text: str) -> ApiAddress:
    try:
        return parse_address(text)
    except ApiAccessError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _socket_of_argument(text: str) -> ApiAddress:
    address = _address_of_argument(text)
    if not address.socket:
        remedy = "remedy: run postern-uplink on this host, and name its socket"
        raise argparse.ArgumentTypeError(f"{text}: this program opens no TCP connections; {remedy}")
    return address


def access_in(parsed: argparse.Namespace) -> ApiAccess:
    """Return the access that the options of `add_api_options` specify; `--api` must have a value."""
    return ApiAccess(parsed.api, parsed.token_file, parsed.ca_file)


def access_by_socket(parsed: argparse.Namespace) -> ApiAccess | None:
    """Return the access that the option of `add_socket_option` specifies; None if no API was named."""
    return ApiAccess(parsed.api) if parsed.api else None


def access_or_none(parsed: argparse.Namespace) -> ApiAccess | None:
    """Return the access that the options specify; None if no API was named."""
    return access_in(parsed) if parsed.api else None
