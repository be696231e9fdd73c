"""Access to the controller: its address, the certificate that we trust, and our token."""

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from common.api import ApiAccess, ApiAccessError

_ANSWERS_WITHIN_S = 30.0
_CONNECTS_WITHIN_S = 5.0
_CONVERSATIONS = 32
LARGEST_BODY_BYTES = 8 * 1024 * 1024


class Away(Exception):
    """The controller cannot be reached, or rejects our token. The text says why; a retry may help."""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    status: int
    body: bytes
    content_type: str
    etag: str


class Access:
    """A client session for many requests. Call `open` first and `close` at the end."""

    def __init__(self, api: ApiAccess) -> None:
        """Raise `ApiAccessError` if the access cannot work."""
        if api.address.socket:
            raise ApiAccessError(
                f"{api.address}: this API is already on this host; remedy: --api https://HOST:PORT"
            )
        self._api = api
        self._context = api.tls_context()
        api.headers()
        self._session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return str(self._api.address)

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
        """Return the controller's answer, of any status. Raise `Away`.

        The token is read for each request, so a new one is used at once.
        """
        assert self._session is not None, "open() comes first"
        try:
            mine = {**(headers or {}), **self._api.headers()}
            asked = self._session.request(
                method, self.url + path, data=body, headers=mine, allow_redirects=False
            )
            async with asked as answer:
                text = await _read_all(answer.content)
                found = ApiAnswer(answer.status, text, answer.content_type, answer.headers.get("ETag", ""))
        except ApiAccessError as error:
            raise Away(str(error)) from error
        except TimeoutError as error:
            raise Away(f"{self.url}: no answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Away(f"{self.url}: {error}{_remedy(error)}") from error
        if found.status == 401:
            raise Away(f"{self.url} rejects the token; remedy: postern token add POOL.NAME --role member")
        return found


async def _read_all(stream: aiohttp.StreamReader) -> bytes:
    text = bytearray()
    async for piece in stream.iter_any():
        text += piece
        if len(text) > LARGEST_BODY_BYTES:
            raise Away(f"the answer is larger than {LARGEST_BODY_BYTES} bytes")
    return bytes(text)


def _remedy(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "; remedy: --ca-file with a copy of the controller's api/certificate.pem"
    return ""
