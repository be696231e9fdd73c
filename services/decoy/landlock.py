"""A lock that the kernel keeps: from now on this process, and all it begins, may connect to nobody by TCP.

Landlock, Linux 6.7 and later, needs no privilege and cannot be undone. Unix sockets, and with them the
controller's, are not concerned. It is a second line: nothing in the decoy asks for a connection anyway.
"""

import ctypes
import os
import struct

_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same numbers on all machines
_PR_SET_NO_NEW_PRIVS = 38
_CONNECT_TCP = 1 << 1


def forbid_connections() -> None:
    """Raise `OSError` where the kernel has no such lock."""
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
