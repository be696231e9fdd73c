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
            media = json.loads(response.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiError([f"no controller answers at {self.address}: {error}; {self._remedy()}"]) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise ApiError(_error_texts(media, response.status))
        return media

    def _remedy(self) -> str:
        return "remedy: start it (ryu-manager apps/edge.py, or `postern lab up demo`), or set POSTERN_API"


def _error_texts(media: Any, status: int) -> list[str]:
    if isinstance(media, dict) and media.get("errors"):
        return [str(text) for text in media["errors"]]
    if isinstance(media, dict) and media.get("description"):
        return [str(media["description"])]
    return [f"the controller answered with status {status}"]
