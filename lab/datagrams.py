"""A stream of numbered datagrams through the edge, one per millisecond, and those that are lost.

The address must be that of a published UDP service. Counts packets, so it sees what
TCP would hide behind its retransmissions.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.errors import LabError
from lab.lab import Lab

_SEND = """
import socket, sys, time
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
begun = time.monotonic()
for number in range(int(sys.argv[3])):
    wire.sendto(str(number).encode(), (sys.argv[1], int(sys.argv[2])))
    time.sleep(max(0.0, begun + number * 0.001 - time.monotonic()))
"""
_RECEIVE = """
import socket, sys
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wire.bind(("", int(sys.argv[1])))
wire.settimeout(2)
print("ready", flush=True)
numbers = []
try:
    while True:
        numbers.append(int(wire.recv(99)))
except TimeoutError:
    numbers.sort()
    print(len(numbers), max(b - a - 1 for a, b in zip(numbers, numbers[1:])))
"""
_PATIENCE_S = 30


@dataclass(frozen=True, slots=True)
class Stream:
    """From one host of a lab to an IPv4 address and UDP port of another."""

    sender: str
    receiver: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Passed:
    """`longest_gap` is the longest run of missing datagrams, which is milliseconds."""

    arrived: int
    longest_gap: int


def send_stream(lab: Lab, stream: Stream, count: int, happening: Callable[[], None]) -> Passed:
    """Send `count` datagrams, and call `happening` after a third of them. Raise `LabError`."""
    receive = lab.command_in(stream.receiver, [sys.executable, "-c", _RECEIVE, str(stream.port)])
    arguments = [stream.address, str(stream.port), str(count)]
    send = lab.command_in(stream.sender, [sys.executable, "-c", _SEND, *arguments])
    with subprocess.Popen(receive, stdout=subprocess.PIPE, encoding="utf-8", errors="replace") as receiver:
        if receiver.stdout is None or receiver.stdout.readline() != "ready\n":
            raise LabError(f"{stream.receiver} cannot receive on UDP port {stream.port}")
        with subprocess.Popen(send) as sender:
            time.sleep(count / 3000)
            happening()
            sender.wait(count / 1000 + _PATIENCE_S)
        said = receiver.stdout.read().split()
    if len(said) != 2:
        raise LabError(f"nothing of the stream to {stream.address} arrived")
    return Passed(int(said[0]), int(said[1]))
