"""The way to the controller: where it is, whom we trust to be it, and as whom we come."""

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

_ANSWERS_WITHIN_S = 30.0
_CONNECTS_WITHIN_S = 5.0
_CONVERSATIONS = 32
_LARGEST_TOKEN_BYTES = 1_024
LARGEST_BODY_BYTES = 8 * 1024 * 1024


class BadAccess(Exception):
    """With this address, certificate or token there is no way to the controller; the text says what helps."""


class Away(Exception):
    """The controller cannot be reached, or does not know us; the text says why. Trying again may help."""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    status: int
    body: bytes
    content_type: str
    etag: str


class Access:
    """One way, many requests. `open` first, `close` at the end."""

    def __init__(self, url: str, token: Path, trusted: Path | None) -> None:
        """Raise `BadAccess`. `trusted`: a certificate (PEM) to trust; None: those that the system trusts."""
        self._url, self._token = _checked(url), token
        self._context = _context_for(url, trusted)
        read_token(token)
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return self._url

    async def open(self) -> None:
        connector = aiohttp.TCPConnector(limit=_CONVERSATIONS, ssl=self._context or True)
        times = aiohttp.ClientTimeout(total=_ANSWERS_WITHIN_S, sock_connect=_CONNECTS_WITHIN_S)
        self._session = aiohttp.ClientSession(connector=connector, timeout=times, auto_decompress=False)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> ApiAnswer:
        """Return the controller's answer, whatever it is. Raise `Away`.

        The token is read each time: one that was replaced is used at once.
        """
        assert self._session is not None, "open() comes first"
        try:
            mine = {**(headers or {}), "Authorization": f"Bearer {read_token(self._token)}"}
            asked = self._session.request(
                method, self._url + path, data=body, headers=mine, allow_redirects=False
            )
            async with asked as answer:
                text = await _read_all(answer.content)
                found = ApiAnswer(answer.status, text, answer.content_type, answer.headers.get("ETag", ""))
        except BadAccess as error:
            raise Away(str(error)) from error
        except TimeoutError as error:
            raise Away(f"{self._url}: no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Away(f"{self._url}: {error}{_remedy(error)}") from error
        if found.status == 401:
            raise Away(f"{self._url} knows no such token; remedy: postern token add POOL.NAME --role member")
        return found


async def _read_all(stream: aiohttp.StreamReader) -> bytes:
    text = bytearray()
    async for piece in stream.iter_any():
        text += piece
        if len(text) > LARGEST_BODY_BYTES:
            raise Away(f"an answer of more than {LARGEST_BODY_BYTES} bytes")
    return bytes(text)


def read_token(file: Path) -> str:
    """Return the token in a file that nobody else may read. Raise `BadAccess`."""
    try:
        if file.stat().st_mode & 0o077:
            raise BadAccess(f"{file}: others may read this token; remedy: chmod 600 {file}")
        with file.open("rb") as opened:
            token = opened.read(_LARGEST_TOKEN_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadAccess(f"{file}: {error}; remedy: write there what `postern token add` prints") from error
    if not token or not token.isprintable() or " " in token:
        raise BadAccess(f"{file}: holds no token; remedy: write there what `postern token add` prints")
    return token


def _checked(url: str) -> str:
    """Return the address without what comes behind the port. Raise `BadAccess`."""
    parts = urlsplit(url)
    try:
        is_whole = bool(parts.hostname) and parts.port is not None and parts.path in ("", "/")
    except ValueError:
        is_whole = False
    if not is_whole or parts.scheme not in ("http", "https") or parts.query or parts.username:
        raise BadAccess(f"{url}: is not https://HOST:PORT")
    if parts.scheme == "http" and not _is_loopback(str(parts.hostname)):
        raise BadAccess(f"{url}: the token would be readable on the network; remedy: https://")
    return f"{parts.scheme}://{parts.netloc}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _context_for(url: str, trusted: Path | None) -> ssl.SSLContext | None:
    if url.startswith("http://"):
        return None
    try:
        context = ssl.create_default_context(cafile=str(trusted) if trusted else None)
    except (OSError, ValueError) as error:  # of `ssl`, too
        raise BadAccess(
            f"{trusted}: {error}; remedy: a copy of the controller's api/certificate.pem"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _remedy(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "; remedy: --trust with a copy of the controller's api/certificate.pem"
    return ""
