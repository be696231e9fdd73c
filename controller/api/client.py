"""The API from the other side: HTTP over the controller's unix socket, for `postern`.

Raises `ApiError` with a remedy when the controller is not there or refuses.
"""

import http.client
import json
import os
import socket
from typing import Any
from urllib.parse import quote

DEFAULT_API = "unix:/run/postern/api.sock"
_LARGEST_ANSWER_BYTES = 256 << 20  # all flows of a thousand tenants are a tenth of it
_LONGEST_REASON = 200
_START = "remedy: start it (ryu-manager apps/edge.py, or `postern lab up demo`), or set POSTERN_API"
_ANOTHER = "remedy: name the controller's own socket with --api or POSTERN_API"


class ApiError(Exception):
    """The controller is not running, or refused. `errors` are its texts, one for each line."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class ApiClient:
    """Talks to the API named by `address`, else by the environment's POSTERN_API, else the default."""

    def __init__(self, address: str = "") -> None:
        self.address = address or os.environ.get("POSTERN_API") or DEFAULT_API

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
        connection = _UnixConnection(self.address.removeprefix("unix:"))
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            media = _parsed(response.read(_LARGEST_ANSWER_BYTES + 1))
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = " ".join(str(error).split())[:_LONGEST_REASON] or type(error).__name__
            raise ApiError([f"no controller answers at {self.address}: {why}; {_remedy(error)}"]) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise ApiError(_error_texts(media, response.status))
        if not isinstance(media, dict | list):
            raise ApiError([f"no controller answers at {self.address}, but another program; {_ANOTHER}"])
        return media


def _parsed(answer: bytes) -> Any:
    """Raise `ValueError` if that is no JSON of a controller's."""
    if len(answer) > _LARGEST_ANSWER_BYTES:
        raise ValueError(f"the answer is larger than {_LARGEST_ANSWER_BYTES >> 20} MiB")
    try:
        return json.loads(answer or b"null")
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error


def _remedy(error: Exception) -> str:
    """Say what helps: it depends on whether there is somebody who answers otherwise."""
    match error:
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
