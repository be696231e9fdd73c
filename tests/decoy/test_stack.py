"""What a SYN is answered with: hop limit and window as the persona says, for both families."""

import contextlib
import socket
import struct
import time

import pytest

from tests.decoy.conftest import Begin
from tests.decoy.running import HELLO, MX, PERSONA, SETTINGS, Running

_SYN_ACK = 0x12
_ALL = 3  # ETH_P_ALL
IPV6 = "::1"


def answer_to_syn(address: str, port: int) -> tuple[int, int]:
    """Return (hop limit, window) of the packet that answers a SYN, as it was on the wire."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL)) as wire:
        wire.bind(("lo", 0))
        wire.settimeout(5)
        with socket.socket(family) as client:
            client.settimeout(5)
            with contextlib.suppress(OSError):
                client.connect((address, port))
            until = time.monotonic() + 10
            while time.monotonic() < until:
                if (found := _syn_ack(wire.recv(65_536)[14:], port)) is not None:
                    return found
    raise AssertionError("no answer")


def _syn_ack(packet: bytes, port: int) -> tuple[int, int] | None:
    is_v4 = packet[0] >> 4 == 4
    begin, protocol, hops = (
        ((packet[0] & 15) * 4, packet[9], packet[8]) if is_v4 else (40, packet[6], packet[7])
    )
    if protocol != socket.IPPROTO_TCP:
        return None
    source, _, _, _, _, flags, window = struct.unpack("!HHIIBBH", packet[begin : begin + 16])
    return (hops, window) if source == port and flags & 0x3F == _SYN_ACK else None


@pytest.mark.lab
def test_a_named_hosts_answer_has_its_hop_limit(decoy: Running) -> None:
    assert answer_to_syn(MX, HELLO)[0] == 61


@pytest.mark.lab
def test_a_window_that_the_persona_names_is_offered(begin: Begin) -> None:
    decoy = begin()
    decoy.write_persona(PERSONA.replace("ttl: 61", "ttl: 61\n    window: 8192"))
    decoy.wait_for("SettingsLoaded", 2)
    assert answer_to_syn(MX, HELLO) == (61, 8192)


@pytest.mark.lab
def test_over_ipv6_all_is_the_same(begin: Begin) -> None:
    decoy = begin()
    decoy.write_persona(PERSONA.replace(f"[{MX}]", f"['{MX}', '{IPV6}']"))
    decoy.write_settings({"tenants": [{**SETTINGS["tenants"][0], "prefixes": ["127.31.0.0/24", "::1/128"]}]})  # type: ignore[index]
    decoy.wait_for("SettingsLoaded", 2)
    assert decoy.client(IPV6, HELLO).hear() == b"named\r\n"
    assert decoy.wait_for("AttackerConnected")["destination"] == IPV6
    assert answer_to_syn(IPV6, HELLO)[0] == 61
