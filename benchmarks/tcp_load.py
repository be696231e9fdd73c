"""A TCP sink and a TCP load, run inside hosts of the lab: standard library only.

    python tcp_load.py sink PORT                                 serves until it is ended
    python tcp_load.py connect SECONDS SOURCES PORT TARGET...    prints connections per second
    python tcp_load.py send SECONDS SOURCE PORT TARGET...        prints Mbit/s

SOURCES are addresses separated by commas, used in turns.
A sink accepts connections to any address that reaches its host (IP_TRANSPARENT). A connection of
`connect` is counted once the sink's greeting has arrived through the switch.
"""

import contextlib
import itertools
import socket
import struct
import sys
import threading
import time

from common import entry

_IP_TRANSPARENT = 19  # linux/in.h
_CHUNK = bytes(256 * 1024)
_GREETING = b"220 \r\n"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset, so that no port waits


def sink(port: int) -> None:
    """Greet every connection, and read it to its end."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_IP, _IP_TRANSPARENT, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(4096)
    print("listening", flush=True)
    while True:
        connection, _ = listener.accept()
        with contextlib.suppress(ConnectionError):
            connection.send(_GREETING)
        threading.Thread(target=_drain, args=(connection,), daemon=True).start()


def _drain(connection: socket.socket) -> None:
    buffer = bytearray(len(_CHUNK))
    with contextlib.suppress(OSError), connection:
        while connection.recv_into(buffer):
            pass


def _open(source: str, target: str, port: int) -> socket.socket:
    return socket.create_connection((target, port), timeout=10, source_address=(source, 0))


def connect(seconds: float, source: str, port: int, targets: list[str]) -> float:
    """Return how many connections per second reached their greeting, one after the other."""
    count, begun, sources = 0, time.monotonic(), itertools.cycle(source.split(","))
    for target in itertools.cycle(targets):
        with _open(next(sources), target, port) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            if connection.recv(64) == _GREETING:
                count += 1
        if (passed := time.monotonic() - begun) >= seconds:
            return count / passed
    raise AssertionError("no target")


def send(seconds: float, source: str, port: int, targets: list[str]) -> float:
    """Return the Mbit/s that one connection to the first target carries."""
    with _open(source, targets[0], port) as connection:
        connection.recv(64)
        total, begun = 0, time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            total += connection.send(_CHUNK)
    return total * 8 / 1e6 / passed


def main() -> None:
    if sys.argv[1] == "sink":
        sink(int(sys.argv[2]))
    else:
        load = {"connect": connect, "send": send}[sys.argv[1]]
        print(load(float(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5:]))


def run() -> int:
    """Run the program: `main`, and a report after any unexpected error."""
    return entry.run("benchmarks.tcp_load", main)


if __name__ == "__main__":
    sys.exit(run())
