"""The BPF program for the socket lookup, as eBPF bytes. Pure.

In C it would be:

    struct { __u32 length; __u8 address[16]; } key = {128, address of ctx, IPv4 as ::ffff:a.b.c.d};
    if (ctx->protocol != IPPROTO_TCP) return SK_PASS;
    struct { __u32 host, closed; } *found = bpf_map_lookup_elem(&hosts, &key);
    if (!found) return SK_PASS;
    struct { __u32 host, port; } door = {found->host, ctx->local_port};
    if (bpf_map_lookup_elem(&open, &door)) return SK_PASS;
    if (found->closed == RESET) return SK_DROP;        // no socket: the kernel sends a reset
    struct bpf_sock *silence = bpf_map_lookup_elem(&sockets, &zero);
    if (!silence) return SK_DROP;
    bpf_sk_assign(ctx, silence, 0);                    // a socket that drops all it gets
    bpf_sk_release(silence);
    return SK_PASS;
"""

import socket
import struct
import sys

RESET, SILENT = 0, 1
_R0, _R1, _R2, _R3, _R6, _R7, _R8, _FP = 0, 1, 2, 3, 6, 7, 8, 10
_PASS, _DROP = 1, 0
_EQUAL, _UNEQUAL, _ALWAYS = 0x15, 0x55, 0x05  # jumps
_LOOKUP_ELEM, _SK_RELEASE, _SK_ASSIGN = 1, 86, 124
# struct bpf_sk_lookup in linux/bpf.h
_FAMILY, _PROTOCOL, _LOCAL_IP4, _LOCAL_IP6, _LOCAL_PORT = 8, 12, 40, 44, 60
_KEY, _DOOR = -24, -32  # on the stack


class _Program:
    """Instructions, and labels to jump to."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int, int]] = []
        self._places: dict[str, int] = {}
        self._jumps: list[tuple[int, str]] = []

    def add(self, code: int, target: int = 0, source: int = 0, offset: int = 0, value: int = 0) -> None:
        self._code.append((code, target, source, offset, value))

    def label(self, name: str) -> None:
        self._places[name] = len(self._code)

    def jump(self, code: int, register: int, value: int, label: str) -> None:
        self._jumps.append((len(self._code), label))
        self.add(code, register, value=value)

    def load(self, target: int, source: int, offset: int) -> None:
        self.add(0x61, target, source, offset)

    def store(self, offset: int, register: int) -> None:
        self.add(0x63, _FP, register, offset)

    def store_number(self, offset: int, value: int) -> None:
        self.add(0x62, _FP, 0, offset, value)

    def set(self, register: int, value: int) -> None:
        self.add(0xB7, register, value=value)

    def copy(self, target: int, source: int) -> None:
        self.add(0xBF, target, source)

    def look_up(self, map_descriptor: int, key: int) -> None:
        """r0 = bpf_map_lookup_elem(map, fp + key)"""
        self.add(0x18, _R1, 1, value=map_descriptor)  # 1: BPF_PSEUDO_MAP_FD
        self.add(0)
        self.copy(_R2, _FP)
        self.add(0x07, _R2, value=key)
        self.call(_LOOKUP_ELEM)

    def call(self, helper: int) -> None:
        self.add(0x85, value=helper)

    def leave(self, verdict: int) -> None:
        self.set(_R0, verdict)
        self.add(0x95)

    def to_bytes(self) -> bytes:
        code = list(self._code)
        for place, label in self._jumps:
            operation, target, source, _, value = code[place]
            code[place] = operation, target, source, self._places[label] - place - 1, value
        return b"".join(struct.pack("=BBhI", c, s << 4 | t, o, v & 0xFFFFFFFF) for c, t, s, o, v in code)


def assemble(hosts: int, doors: int, sockets: int) -> bytes:
    """Return the program for three maps, given as descriptors."""
    program = _Program()
    program.copy(_R6, _R1)  # r6 = ctx
    _write_key(program)
    _find_host(program, hosts)
    _pass_open_port(program, doors)
    _answer_closed_port(program, sockets)
    program.label("pass")
    program.leave(_PASS)
    program.label("drop")
    program.leave(_DROP)
    return program.to_bytes()


def _write_key(program: _Program) -> None:
    """Write the key of the destination on the stack; what is not TCP over IP passes."""
    program.load(_R2, _R6, _PROTOCOL)
    program.jump(_UNEQUAL, _R2, socket.IPPROTO_TCP, "pass")
    program.store_number(_KEY, 128)
    program.load(_R2, _R6, _FAMILY)
    program.jump(_UNEQUAL, _R2, socket.AF_INET, "ipv6")
    program.store_number(_KEY + 4, 0)
    program.store_number(_KEY + 8, 0)
    program.store_number(_KEY + 12, int.from_bytes(b"\0\0\xff\xff", sys.byteorder))
    program.load(_R3, _R6, _LOCAL_IP4)
    program.store(_KEY + 16, _R3)
    program.jump(_ALWAYS, 0, 0, "find")
    program.label("ipv6")
    program.jump(_UNEQUAL, _R2, socket.AF_INET6, "pass")
    for part in range(0, 16, 4):
        program.load(_R3, _R6, _LOCAL_IP6 + part)
        program.store(_KEY + 4 + part, _R3)
    program.label("find")


def _find_host(program: _Program, hosts: int) -> None:
    """r7 = found->host, r8 = found->closed; an address of no host passes."""
    program.look_up(hosts, _KEY)
    program.jump(_EQUAL, _R0, 0, "pass")
    program.load(_R7, _R0, 0)
    program.load(_R8, _R0, 4)


def _pass_open_port(program: _Program, doors: int) -> None:
    program.store(_DOOR, _R7)
    program.load(_R3, _R6, _LOCAL_PORT)
    program.store(_DOOR + 4, _R3)
    program.look_up(doors, _DOOR)
    program.jump(_UNEQUAL, _R0, 0, "pass")


def _answer_closed_port(program: _Program, sockets: int) -> None:
    """Have the kernel send a reset, or give the packet to the socket that drops all it gets."""
    program.jump(_EQUAL, _R8, RESET, "drop")
    program.store_number(_DOOR, 0)
    program.look_up(sockets, _DOOR)
    program.jump(_EQUAL, _R0, 0, "drop")
    program.copy(_R7, _R0)
    program.copy(_R1, _R6)
    program.copy(_R2, _R7)
    program.set(_R3, 0)
    program.call(_SK_ASSIGN)
    program.copy(_R1, _R7)
    program.call(_SK_RELEASE)
