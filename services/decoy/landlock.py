"""Forbids TCP connections from this process and its children, enforced by the kernel.

Landlock (Linux 6.7 and later) needs no privilege and cannot be undone. Unix sockets, such as the
controller's, are not affected. It is a second line of defence: a decoy opens no TCP connection anyway.
"""

import ctypes
import os
import struct

_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same numbers on all architectures
_PR_SET_NO_NEW_PRIVS = 38
_CONNECT_TCP = 1 << 1


def forbid_connections() -> None:
    """Raise `OSError` if the kernel does not support it."""
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = ctypes.create_string_buffer(struct.pack("=QQ", 0, _CONNECT_TCP), 16)
    ruleset = _checked(libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(16), ctypes.c_uint(0)))
    try:
        _checked(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        _checked(libc.syscall(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0)))
    finally:
        os.close(ruleset)


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"landlock: {os.strerror(error)}")
    return result
