"""Serves the API on a unix socket whose file mode is the access control: owner and group only."""

import logging
import os
import socket
import stat
from pathlib import Path
from typing import Any

import eventlet
from eventlet import wsgi

_LOG = logging.getLogger("postern.api")


def serve_api(address: str, app: Any) -> None:
    """Serve until the program ends. Raise `SystemExit` if the socket cannot be made."""
    path = Path(address.removeprefix("unix:"))
    try:
        listener = _listen(path)
    except OSError as error:
        raise SystemExit(f"postern: cannot serve the API at {path}: {error}") from error
    wsgi.server(listener, app, log=_LOG, log_output=False, socket_timeout=30)


def _listen(path: Path) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        path.unlink()  # left by a controller that was killed
    before = os.umask(0o117)
    try:
        return eventlet.listen(str(path), family=socket.AF_UNIX)
    finally:
        os.umask(before)
