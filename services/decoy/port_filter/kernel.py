"""Loads a port table into the kernel with bpf(2). The kernel removes it when this process ends.

It needs CAP_NET_ADMIN and CAP_BPF (root has both). A new table is a new program, which replaces
the old one atomically.
"""

import ctypes
import os
import platform
import socket
import struct

from services.base import ipv6
from services.decoy.port_filter import assembly
from services.decoy.port_filter.table import PortTable
from services.personas.model import Closed

_SYSCALL = {"x86_64": 321, "aarch64": 280}
_MAP_CREATE, _MAP_UPDATE, _PROG_LOAD, _LINK_CREATE, _LINK_UPDATE = 0, 2, 5, 28, 29
_HASH, _LPM_TRIE, _SOCKMAP = 1, 11, 15
_NO_PREALLOC = 1
_SK_LOOKUP_PROGRAM, _SK_LOOKUP_ATTACH = 30, 36
_SO_ATTACH_FILTER = 26
_CLOSED = {Closed.RESET: assembly.RESET, Closed.SILENT: assembly.SILENT}


class PortFilter:
    """Raise `OSError` if the kernel does not allow it; no port is closed then."""

    def __init__(self) -> None:
        self._silence = _deaf_socket()
        self._link = -1

    def set(self, doors: PortTable) -> None:
        """Put this port table into force for new connections. Raise `OSError`."""
        made: list[int] = []
        try:
            program = self._load(doors, made)
            if self._link < 0:
                self._link = self._attach(program)
            else:
                _bpf(_LINK_UPDATE, struct.pack("=IIII", self._link, program, 0, 0))
        finally:
            for descriptor in made:
                os.close(descriptor)

    def close(self) -> None:
        if self._link >= 0:
            os.close(self._link)
        self._link = -1
        self._silence.close()

    def _load(self, doors: PortTable, made: list[int]) -> int:
        hosts = _new_map(_LPM_TRIE, 20, 8, len(doors.hosts), _NO_PREALLOC, made)
        for (address, length), (host, closed) in doors.hosts.items():
            _update(hosts, struct.pack("=I16s", length, address), struct.pack("=II", host, _CLOSED[closed]))
        opened = _new_map(_HASH, 8, 4, len(doors.open), 0, made)
        for host, port in doors.open:
            _update(opened, struct.pack("=II", host, port), struct.pack("=I", 1))
        sockets = _new_map(_SOCKMAP, 4, 8, 1, 0, made)
        _update(sockets, struct.pack("=I", 0), struct.pack("=Q", self._silence.fileno()))
        program = _load_program(assembly.assemble(hosts, opened, sockets))
        made.append(program)
        return program

    def _attach(self, program: int) -> int:
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            return _bpf(_LINK_CREATE, struct.pack("=IIII", program, namespace, _SK_LOOKUP_ATTACH, 0))
        finally:
            os.close(namespace)


def _deaf_socket() -> socket.socket:
    """Return a listening socket whose filter drops every packet, like a firewall.

    It is dual-stack, or IPv4 only if the kernel does not support IPv6.
    """
    family = socket.AF_INET6 if ipv6.has_sockets() else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        drop_all = struct.pack("=HBBI", 0x06, 0, 0, 0)  # BPF_RET, 0 bytes of the packet
        instructions = ctypes.create_string_buffer(drop_all, len(drop_all))
        program = struct.pack("=H6xQ", 1, ctypes.addressof(instructions))
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        sock.bind(("", 0))
        sock.listen(1)
    except OSError:
        sock.close()
        raise
    return sock


def _new_map(kind: int, key: int, value: int, size: int, flags: int, made: list[int]) -> int:  # noqa: PLR0913
    made.append(_bpf(_MAP_CREATE, struct.pack("=IIIII", kind, key, value, max(1, size), flags)))
    return made[-1]


def _update(descriptor: int, key: bytes, value: bytes) -> None:
    keys, values = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
    addresses = ctypes.addressof(keys), ctypes.addressof(values)
    _bpf(_MAP_UPDATE, struct.pack("=I4xQQQ", descriptor, *addresses, 0))


def _load_program(code: bytes) -> int:
    instructions = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    head = struct.pack(
        "=IIQQIIQII16sII",
        _SK_LOOKUP_PROGRAM,
        len(code) // 8,
        ctypes.addressof(instructions),
        ctypes.addressof(licence),
        0,
        0,
        0,
        0,
        0,
        b"postern_doors",
        0,
        _SK_LOOKUP_ATTACH,
    )
    return _bpf(_PROG_LOAD, head)


def _bpf(command: int, attributes: bytes) -> int:
    number = _SYSCALL.get(platform.machine())
    if number is None:
        raise OSError(f"the number of bpf(2) is not known for {platform.machine()}")
    buffer = ctypes.create_string_buffer(attributes, 128)
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(ctypes.c_long(number), ctypes.c_int(command), buffer, ctypes.c_uint(128))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"bpf: {os.strerror(error)}")
    return int(result)
