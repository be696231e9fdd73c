"""Serves the API: on a unix socket, which the file's mode protects, and over TCP with tokens."""

import errno
import ipaddress
import logging
import os
import re
import socket
import ssl
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import eventlet
from eventlet import wsgi
from eventlet.green import ssl as green_ssl

from apps import certificate
from common.api import ApiAccessError, parse_address
from controller.api.context import PRINCIPAL
from controller.runtime.principals import AccessRole, Principal

_LISTEN = re.compile(r"(?:(?P<scheme>https?)://)?(?P<host>\[[0-9a-fA-F:.]+\]|[^:/]+):(?P<port>[0-9]{1,5})/?")
_ANSWERS_WITHIN_S = 1.0
_CREDENTIALS = struct.Struct("=iII")  # struct ucred: pid, uid, gid
_LOG = logging.getLogger("postern.api")


def listen_for_operators(address: str) -> Any:
    """Return the socket of the API. Raise `SystemExit` with a remedy if it cannot be made."""
    path = _socket_path(address)
    try:
        return _listen(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = getattr(error, "strerror", None) or error
        raise SystemExit(
            f"postern: cannot serve the API at {path}: {why}; "
            "remedy: name a socket that can be created, POSTERN_API=unix:PATH, with 100 bytes at most"
        ) from error


def _socket_path(address: str) -> Path:
    try:
        found = parse_address(address)
    except ApiAccessError as error:
        raise SystemExit(f"postern: POSTERN_API: {error}") from error
    if not found.socket:
        remedy = "remedy: POSTERN_API=unix:PATH, and POSTERN_LISTEN for TCP"
        raise SystemExit(f"postern: POSTERN_API: {address} is not a unix socket; {remedy}")
    return Path(found.socket)


def serve_api(listener: Any, app: Any) -> None:
    """Serve until the program ends."""
    wsgi.server(listener, app, protocol=_OnSocket, log=_LOG, log_output=False, socket_timeout=30)


def serve_bearers(address: str, place: Path, app: Any, tell: Callable[[str], None]) -> None:
    """Serve over TCP until the program ends; if that fails, `tell` why and continue without.

    `address` is HOST:PORT: plain on loopback, TLS elsewhere, because a token could be read in
    transit; `http://` or `https://` before it overrides this. `place` holds the certificate.
    """
    try:
        listener = _listen_for_bearers(address, place)
    except (OSError, ValueError, OverflowError) as error:  # also of `ssl`
        tell(f"{address}: {error}; remedy: fix that, or set POSTERN_LISTEN to another address or to off")
        return
    wsgi.server(listener, app, protocol=_Patient, log=_LOG, log_output=False, socket_timeout=30)


class _OnSocket(wsgi.HttpProtocol):
    """The kernel says which user is the peer of a unix socket (unix(7), SO_PEERCRED)."""

    def get_environ(self) -> dict[str, Any]:
        environment: dict[str, Any] = super().get_environ()
        packed = self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, _ = _CREDENTIALS.unpack(packed)
        environment[PRINCIPAL] = Principal(f"uid {uid}", AccessRole.OPERATOR)
        return environment


class _Patient(wsgi.HttpProtocol):
    """A client that does not use TLS, or closes during a handshake, leaves no line in the log."""

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True


def _listen_for_bearers(address: str, place: Path) -> Any:
    found = _LISTEN.fullmatch(address)
    if not found:
        raise ValueError("is not HOST:PORT")
    host, port = found["host"].strip("[]"), int(found["port"])
    context = None
    if found["scheme"] == "https" or (not found["scheme"] and not _is_loopback(host)):
        context = green_ssl.GreenSSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        files = certificate.find_or_make(place, host)
        try:
            context.load_cert_chain(*files, password="")  # there is no terminal to ask for one
        except (OSError, ValueError) as error:  # also of `ssl`; none of them names the file
            raise ValueError(
                f"{' and '.join(map(str, files))}: not a valid certificate and key: {error}"
            ) from error
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = eventlet.listen((host, port), family=family, reuse_port=False)  # never beside another program
    return context.wrap_socket(listener, server_side=True) if context else listener


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(path: Path) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        if _is_served(path):
            raise OSError(errno.EADDRINUSE, "another controller answers there")
        path.unlink()  # left by a controller that was killed
    before = os.umask(0o117)
    try:
        return eventlet.listen(str(path), family=socket.AF_UNIX)
    finally:
        os.umask(before)


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_ANSWERS_WITHIN_S)
        try:
            client.connect(str(path))
        except TimeoutError:  # a program listens, but is busy
            return True
        except OSError:
            return False
    return True


def check_switch_port(host: str, port: int) -> None:
    """Raise `SystemExit` with a remedy if switches cannot connect there.

    Ryu listens later, in a thread whose errors do not end the program, and shares the port with another Ryu.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen(1)
    except (OSError, OverflowError) as error:
        raise SystemExit(
            f"postern: cannot listen for switches at {host or '*'} port {port}: {error}; remedy: end "
            "the other controller, or name another port with --ofp-tcp-listen-port (and --ofp-listen-host)"
        ) from error
