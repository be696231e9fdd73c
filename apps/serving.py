"""Serves the API: on a unix socket, which the file's mode protects, and over TCP with tokens."""

import errno
import logging
import os
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

from controller.api.certificate import find_or_make
from controller.api.context import PRINCIPAL
from controller.api.listen import Listen
from controller.runtime.principals import principal_of_user
from controller.settings import PROGRAM

_ANSWERS_WITHIN_S = 1.0
_CREDENTIALS = struct.Struct("=iII")  # struct ucred: pid, uid, gid
_LOG = logging.getLogger("postern.api")


def listen_for_operators(path: Path) -> Any:
    """Return the socket of the API. Raise `SystemExit` with a remedy if it cannot be made."""
    try:
        return _listen(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = getattr(error, "strerror", None) or error
        raise SystemExit(
            f"{PROGRAM}: cannot serve the API at {path}: {why}; "
            "remedy: name a socket that can be created, POSTERN_API=unix:PATH, with 100 bytes at most"
        ) from error


def serve_api(listener: Any, app: Any) -> None:
    """Serve until the program ends."""
    wsgi.server(listener, app, protocol=_OnSocket, log=_LOG, log_output=False, socket_timeout=30)


def serve_bearers(listen: Listen, place: Path, app: Any, tell: Callable[[str], None]) -> None:
    """Serve over TCP until the program ends; if that fails, `tell` why and continue without.

    `place` holds the certificate.
    """
    try:
        listener = _listen_for_bearers(listen, place)
    except (OSError, ValueError) as error:  # also of `ssl`
        tell(f"{listen}: {error}; remedy: fix that, or set POSTERN_LISTEN to another address or to off")
        return
    wsgi.server(listener, app, protocol=_Patient, log=_LOG, log_output=False, socket_timeout=30)


class _OnSocket(wsgi.HttpProtocol):
    """The kernel says which user is the peer of a unix socket (unix(7), SO_PEERCRED)."""

    def get_environ(self) -> dict[str, Any]:
        environment: dict[str, Any] = super().get_environ()
        packed = self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        _, uid, _ = _CREDENTIALS.unpack(packed)
        environment[PRINCIPAL] = principal_of_user(uid)
        return environment


class _Patient(wsgi.HttpProtocol):
    """A client that does not use TLS, or closes during a handshake, leaves no line in the log."""

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True


def _listen_for_bearers(listen: Listen, place: Path) -> Any:
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    address = listen.host, listen.port
    listener = eventlet.listen(address, family=family, reuse_port=False)  # never beside another program
    if not listen.is_tls:
        return listener
    try:  # the port first: no certificate is made for an address that is not this machine's
        context = _tls_context(*find_or_make(place, listen.host))
    except BaseException:
        listener.close()
        raise
    return context.wrap_socket(listener, server_side=True)


def _tls_context(certificate: Path, key: Path) -> Any:
    context = green_ssl.GreenSSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password="")  # there is no terminal to ask for one
    except (OSError, ValueError) as error:  # also of `ssl`; none of them names the file
        raise ValueError(f"{certificate} and {key}: not a valid certificate and key: {error}") from error
    return context


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
            f"{PROGRAM}: cannot listen for switches at {host or '*'} port {port}: {error}; remedy: end "
            "the other controller, or name another port with --ofp-tcp-listen-port (and --ofp-listen-host)"
        ) from error
