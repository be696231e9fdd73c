"""The API's client: HTTP over the controller's unix socket or over TLS, for `postern`.

Raises `ApiError` with a remedy if the controller is unreachable or refuses.
"""

import http.client
import json
import os
import socket
import ssl
from typing import Any
from urllib.parse import quote

from common.api import DEFAULT_API, ApiAccess, ApiAccessError, parse_address
from common.commands import CommandError
from common.exit_codes import ExitCode
from common.reason import HEADER, encode_reason

_LARGEST_ANSWER_BYTES = 256 << 20  # all flows of a thousand tenants are a tenth of it
_LONGEST_REASON = 200
_TIMEOUT_S = 30
_START = "remedy: start it (postern-controller, or `postern lab up demo`), or name its API with --api"
_ANOTHER = "remedy: name the controller's own socket with --api or POSTERN_API"


class ApiError(CommandError):
    """The controller is not running, or refused. `errors` are its texts, one for each line."""


class ControllerUnreachable(ApiError):
    """No controller answers at the address."""

    code = ExitCode.UNREACHABLE


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class ApiClient:
    """Talks to the API that `access` names; a text is an address without a token.

    `reason`: sent with each request, for the controller's journal; `check_reason` has accepted it.
    """

    def __init__(self, access: ApiAccess | str = "", reason: str = "") -> None:
        self._access = _access_of(access) if isinstance(access, str) else access
        self._headers = {"Content-Type": "application/json"}
        if reason:
            self._headers[HEADER] = encode_reason(reason)

    @property
    def address(self) -> str:
        return str(self._access.address)

    def get(self, path: str) -> Any:
        return self._request("GET", path, None)

    def post(self, path: str, value: object) -> Any:
        return self._request("POST", path, json.dumps(value).encode())

    def put(self, path: str, value: object) -> Any:
        return self._request("PUT", path, json.dumps(value).encode())

    def delete(self, path: str) -> Any:
        return self._request("DELETE", path, None)

    def explain(self, what: str) -> Any:
        return self.get(f"/v1/explain/{quote(what, safe='')}")

    def _request(self, method: str, path: str, body: bytes | None) -> Any:
        try:
            connection, headers = self._connection(), self._access.headers()
        except ApiAccessError as error:
            raise ApiError([str(error)]) from error
        try:
            connection.request(method, path, body, {**self._headers, **headers})
            response = connection.getresponse()
            media = _parsed(response.read(_LARGEST_ANSWER_BYTES + 1))
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = " ".join(str(error).split())[:_LONGEST_REASON] or type(error).__name__
            said = f"no controller answers at {self.address}: {why}; {_remedy(error)}"
            raise ControllerUnreachable([said]) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise ApiError(_error_texts(media, response.status))
        if not isinstance(media, dict | list):
            said = f"a program that is not the controller answers at {self.address}; {_ANOTHER}"
            raise ControllerUnreachable([said])
        return media

    def _connection(self) -> http.client.HTTPConnection:
        address = self._access.address
        if address.socket:
            return _UnixConnection(address.socket)
        if context := self._access.tls_context():
            return http.client.HTTPSConnection(
                address.host, address.port, timeout=_TIMEOUT_S, context=context
            )
        return http.client.HTTPConnection(address.host, address.port, timeout=_TIMEOUT_S)


def _access_of(text: str) -> ApiAccess:
    """Return the API at an address, otherwise at the environment's POSTERN_API, otherwise at the default."""
    try:
        return ApiAccess(parse_address(text or os.environ.get("POSTERN_API") or DEFAULT_API))
    except ApiAccessError as error:
        raise ApiError([str(error)]) from error


def _parsed(answer: bytes) -> Any:
    """Raise `ValueError` if that is not JSON from a controller."""
    if len(answer) > _LARGEST_ANSWER_BYTES:
        raise ValueError(f"the answer is larger than {_LARGEST_ANSWER_BYTES >> 20} MiB")
    try:
        return json.loads(answer or b"null")
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error


def _remedy(error: Exception) -> str:
    """Return the remedy, which depends on whether another program answers there."""
    match error:
        case ssl.SSLCertVerificationError():
            return "remedy: --ca-file with a copy of the controller's api/certificate.pem"
        case PermissionError():
            return "remedy: run this as root, or as a member of the group that owns the socket"
        case TimeoutError() | ConnectionResetError() | BrokenPipeError():
            return "remedy: see the controller's log for what it is doing, or restart it"
        case OSError():
            return _START
    return _ANOTHER


def _error_texts(media: Any, status: int) -> list[str]:
    if isinstance(media, dict) and isinstance(errors := media.get("errors"), list) and errors:
        return [str(text) for text in errors]
    if isinstance(media, dict) and media.get("description"):
        return [str(media["description"])]
    return [f"the controller answered with status {status}; remedy: see its log"]
