"""Whether this machine's kernel has IPv6. Without it the lab works, and its hosts have only IPv4."""

import socket
from collections.abc import Iterable
from functools import cache
from typing import TypeVar

A = TypeVar("A")


@cache
def is_there() -> bool:
    try:
        socket.socket(socket.AF_INET6).close()
    except OSError:
        return False
    return True


def usable(addresses: Iterable[A]) -> tuple[A, ...]:
    """Return the addresses that programs here can use: all, or those of IPv4."""
    return tuple(each for each in addresses if is_there() or ":" not in str(each))
