"""HTTP GET with limits on everything that a server controls: time, size, redirects, compression.

aiohttp does the HTTP. This module returns bytes and does not interpret them.
"""

import asyncio
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp

_MOST_REDIRECTS = 5
_CHUNK_BYTES = 64 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class WebNotFetched(Exception):
    """The server sent nothing usable; the text says why."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    time_s: float
    size_bytes: int
    redirects: int = _MOST_REDIRECTS


@dataclass(frozen=True, slots=True)
class WebAnswer:
    is_unchanged: bool  # 304
    body: bytes
    etag: str = ""
    last_modified: str = ""


async def get(url: str, headers: Mapping[str, str], limits: FetchLimits) -> WebAnswer:
    """Return the server's answer within the limits. Raise `WebNotFetched`."""
    try:
        async with asyncio.timeout(limits.time_s):
            return await _get(url, headers, limits)
    except TimeoutError as error:
        raise WebNotFetched(f"did not finish within {limits.time_s:g} s") from error
    except (aiohttp.ClientError, ssl.SSLError, OSError, ValueError) as error:
        raise WebNotFetched(str(error) or type(error).__name__) from error


async def _get(url: str, headers: Mapping[str, str], limits: FetchLimits) -> WebAnswer:
    async with aiohttp.ClientSession(
        auto_decompress=False,  # aiohttp would decompress without a limit
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=limits.time_s),
        headers={"Accept-Encoding": "gzip", "User-Agent": "postern-sensors"},
        trust_env=True,  # an operator's HTTPS_PROXY
    ) as session:
        for _ in range(limits.redirects + 1):
            async with session.get(url, headers=headers, allow_redirects=False) as response:
                if response.status not in _REDIRECTS:
                    return await _answer(response, limits)
                url = _next_url(url, response.headers.get("Location", ""))
    raise WebNotFetched(f"more than {limits.redirects} redirects")


def _next_url(url: str, location: str) -> str:
    """A redirect may lead elsewhere on the web, but not to a file, nor from TLS to plain text."""
    target = urljoin(url, location)
    scheme = urlsplit(target).scheme
    if not location or scheme not in ("http", "https"):
        raise WebNotFetched(f"redirects to {target!r:.200}, which is not a web address")
    if urlsplit(url).scheme == "https" and scheme == "http":
        raise WebNotFetched(f"redirects from https to {target!r:.200}")
    return target


async def _answer(response: aiohttp.ClientResponse, limits: FetchLimits) -> WebAnswer:
    if response.status == 304:
        return WebAnswer(True, b"")
    if response.status != 200:
        raise WebNotFetched(f"the server answered with status {response.status}")
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > limits.size_bytes:
            raise WebNotFetched(f"is larger than {limits.size_bytes} bytes")
    plain = await asyncio.to_thread(decompress, bytes(body), limits.size_bytes)
    return WebAnswer(
        False, plain, response.headers.get("ETag", "")[:500], response.headers.get("Last-Modified", "")[:100]
    )


def decompress(body: bytes, most_bytes: int) -> bytes:
    """Undo gzip of the transfer, and of a .gz file in it. Raise `WebNotFetched` if it is bad or too large."""
    for _ in range(2):
        if not body.startswith(_GZIP_MAGIC):
            return body
        body = _gunzip(body, most_bytes)
    return body


def _gunzip(body: bytes, most_bytes: int) -> bytes:
    """Decompress. A gzip file may have several members, one after the other (RFC 1952, 2.2)."""
    plain = bytearray()
    try:
        while body.startswith(_GZIP_MAGIC):
            member = zlib.decompressobj(wbits=31)
            plain += member.decompress(body, most_bytes + 1 - len(plain))
            if len(plain) > most_bytes:
                raise WebNotFetched(f"decompresses to more than {most_bytes} bytes")
            if not member.eof:
                raise WebNotFetched("its compressed data is truncated")
            body = member.unused_data
    except zlib.error as error:
        raise WebNotFetched(f"its compressed data is bad: {error}") from error
    return bytes(plain)
