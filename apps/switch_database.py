"""Watches Open vSwitch's database over its unix socket (RFC 7047), and changes bridges with `ovs-vsctl`."""

import codecs
import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import ip_address

from ryu.lib import hub

from controller.drift.bridge_record import BridgeRecord
from controller.drift.ovsdb import OvsdbError, SwitchDatabase, echo_request, monitor_request
from controller.runtime.events import BridgeRepairEnded, BridgesRead, BridgesUnread, RuntimeEvent

_RETRY_S = 0.5
_SILENCE_S = 5.0  # after that the database is asked for an echo, and has the same time to answer
_PAUSE_S = 0.02  # changes that come within that time are reported together
_PIECE_BYTES = 1 << 18
_LONGEST_MESSAGE = 64 << 20  # characters; 100,000 ports are about 40 million
_COMMAND_S = 5
_EVERYWHERE = ("", "0.0.0.0", "::")
Put = Callable[[RuntimeEvent], None]


class DatabaseWatch:
    """Reports all bridges after each change, or why they cannot be read.

    `host`, `port`: where this controller listens for switches.
    """

    def __init__(self, path: str, put: Put, host: str, port: int) -> None:
        self._path, self._put = path, put
        self._is_own = partial(leads_here, host=host, port=port)
        self._last: tuple[BridgeRecord, ...] | str | None = None

    def run(self) -> None:
        """Watch until the program ends; connect again whenever the database has gone away."""
        while True:
            try:
                self._watch()
            except (OSError, OvsdbError) as error:
                self._tell(getattr(error, "strerror", None) or str(error))
            hub.sleep(_RETRY_S)

    def _watch(self) -> None:
        database = SwitchDatabase()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SILENCE_S)
            connection.connect(self._path)
            connection.sendall(monitor_request())
            for messages in _messages(connection):
                for message in messages:
                    if reply := database.receive(message):
                        connection.sendall(reply)
                if database.is_read:
                    self._tell(database.bridges(self._is_own))
                hub.sleep(_PAUSE_S)

    def _tell(self, news: tuple[BridgeRecord, ...] | str) -> None:
        if news == self._last:
            return
        self._last = news
        self._put(BridgesUnread(f"{self._path}: {news}") if isinstance(news, str) else BridgesRead(news))


def _messages(connection: socket.socket) -> Iterator[list[object]]:
    """Yield JSON texts as they come in: they follow one another without a separator."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    text = ""
    while True:
        text += decode(_receive(connection))
        if not text.rstrip().endswith("}"):  # it is not complete; parsing it now would be in vain
            found: list[object] = []
        else:
            found, text = _parse(text)
        if len(text) > _LONGEST_MESSAGE:
            raise OvsdbError("the database sent a message that is too long, or is not JSON")
        yield found


def _parse(text: str) -> tuple[list[object], str]:
    """Return the complete texts, and the rest."""
    parse, found, start = json.JSONDecoder().raw_decode, [], 0
    while start < len(text):
        try:
            message, start = parse(text, start)
        except ValueError:
            break
        except RecursionError:
            raise OvsdbError("the database sent a message that is nested too deeply") from None
        found.append(message)
        while start < len(text) and text[start].isspace():
            start += 1
    return found, text[start:]


def _receive(connection: socket.socket) -> bytes:
    """Return the next piece. Raise `OvsdbError` if the database is silent, or has closed the connection."""
    try:
        piece = connection.recv(_PIECE_BYTES)
    except TimeoutError:
        connection.sendall(echo_request())
        try:
            piece = connection.recv(_PIECE_BYTES)
        except TimeoutError:
            raise OvsdbError("the database does not answer") from None
    if not piece:
        raise OvsdbError("the database has closed the connection")
    return piece


class BridgeChanger:
    """Runs `ovs-vsctl` beside the runtime. `host`, `port`: where this controller listens for switches."""

    def __init__(self, path: str, put: Put, host: str, port: int) -> None:
        self._path, self._put = path, put
        self._host, self._port = host, port

    def own_target(self, target: str) -> str:
        if leads_here(target, self._host, self._port):
            return target
        host = "127.0.0.1" if self._host in _EVERYWHERE else self._host
        return f"tcp:[{host}]:{self._port}" if ":" in host else f"tcp:{host}:{self._port}"

    def change(self, switch: str, arguments: tuple[str, ...]) -> None:
        hub.spawn(lambda: self._put(BridgeRepairEnded(switch, self._run(arguments))))

    def _run(self, arguments: tuple[str, ...]) -> str:
        """Return why it failed; empty: it did not."""
        # The change is in the database then; that the switch acts on it is seen there and over OpenFlow.
        command = ["ovs-vsctl", f"--db=unix:{self._path}", f"--timeout={_COMMAND_S}", "--no-wait", *arguments]
        try:
            done = subprocess.run(
                command, capture_output=True, encoding="utf-8", errors="replace", timeout=_COMMAND_S + 5
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:  # ValueError: a NUL
            return f"ovs-vsctl: {error}"
        *_, reason = done.stderr.strip().splitlines() or [f"ovs-vsctl: exit code {done.returncode}"]
        return reason if done.returncode else ""


def leads_here(target: str, host: str, port: int) -> bool:
    """Return whether a bridge's controller target is where this program listens: `host`, `port`."""
    if not target.startswith("tcp:") or not target.endswith(f":{port}"):
        return False
    place = target.removeprefix("tcp:").removesuffix(f":{port}")
    try:
        address = str(ip_address(place.strip("[]")))  # names are not looked up
    except ValueError:
        return False
    if host not in _EVERYWHERE:
        return address == host
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:  # no address of this machine
            return False
    return True
