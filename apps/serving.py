"""Serves the API: on a unix socket, where the file's mode decides who may, and over TCP for tokens."""

import logging
import os
import socket
import stat
from collections.abc import Callable
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


def serve_bearers(address: str, app: Any, tell: Callable[[str], None]) -> None:
    """Serve over TCP until the program ends; if that cannot be, `tell` why and do without."""
    host, _, port = address.rpartition(":")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = eventlet.listen((host.strip("[]"), int(port)), family=family)
    except (OSError, ValueError, OverflowError) as error:
        tell(f"{address}: {error}; remedy: name another address in POSTERN_LISTEN, or off")
        return
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
