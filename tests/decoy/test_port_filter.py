"""Ports that a host has not: refused by the kernel itself, or met with silence, as the persona says."""

import contextlib
import socket
from ipaddress import ip_address, ip_network

import pytest

from services.decoy.port_filter.table import port_table_of
from services.personas.model import Closed
from services.personas.parse import parse_persona
from tests.decoy.conftest import Begin
from tests.decoy.running import DARK, HELLO, HTTP, MX, PERSONA, SMTP, Running

FIREWALLED = "127.31.0.50"
SSH = 18_022
WITH_FIREWALL = PERSONA + f"  fw: {{addresses: [{FIREWALLED}], closed: silent, services: {{}}}}\n"


def knock(address: str, port: int, patience_s: float = 0.3) -> str:
    """Say how the port answers. A reset may come before our kernel has told us that the port opened."""
    with socket.socket() as sock:
        sock.settimeout(1.0)
        try:
            sock.connect((address, port))
        except ConnectionRefusedError:
            return "refused"
        except (ConnectionResetError, BrokenPipeError):
            return "reset"
        except TimeoutError:
            return "silence"
        try:
            sock.settimeout(patience_s)
            sock.recv(1)
        except TimeoutError:
            return "open"
        except ConnectionResetError:
            return "reset"
        return "open"


def test_every_address_of_a_tenant_is_some_hosts() -> None:
    persona = parse_persona(WITH_FIREWALL, "acme.yaml")
    doors = port_table_of({"acme": [ip_network("127.31.0.0/24")]}, {"acme": persona})
    prefix, host = bytes(10) + b"\xff\xff" + ip_address("127.31.0.0").packed, 96 + 24
    dark = doors.hosts[prefix, host][0]
    mx = doors.hosts[bytes(10) + b"\xff\xff" + ip_address(MX).packed, 128][0]
    assert (dark, HTTP) in doors.open
    assert (mx, HTTP) not in doors.open
    assert {closed for _, closed in doors.hosts.values()} == {Closed.RESET, Closed.SILENT}


def test_a_tenant_without_a_dark_host_has_only_what_is_named() -> None:
    persona = parse_persona(PERSONA[: PERSONA.index("  dark:")], "acme.yaml")
    doors = port_table_of({"acme": [ip_network("2001:db8::/32")]}, {"acme": persona})
    rest, _ = doors.hosts[ip_address("2001:db8::").packed, 32]
    assert not [port for host, port in doors.open if host == rest]


@pytest.mark.lab
def test_a_port_that_only_the_dark_has_is_refused_at_a_named_host(decoy: Running) -> None:
    assert knock(DARK, HTTP) == "open"
    assert knock(MX, HTTP) == "refused"
    assert knock(MX, SMTP) == "open"
    assert knock(DARK, SMTP) == "refused"
    decoy.wait_for("AttackerConnected", 2)


@pytest.mark.lab
def test_a_host_behind_a_firewall_keeps_silent(begin: Begin) -> None:
    decoy = begin()
    decoy.write_persona(WITH_FIREWALL)
    decoy.wait_for("SettingsLoaded", 2)
    assert [knock(FIREWALLED, port) for port in (HTTP, HELLO, 9)] == ["silence"] * 3
    assert knock(MX, HELLO) == "open"


@pytest.mark.lab
def test_doors_change_with_the_persona_and_go_with_the_decoy(decoy: Running) -> None:
    with socket.create_server(("0.0.0.0", SSH)):
        assert knock(MX, SSH) == "refused"
        ssh = f"{SSH}: {{protocol: ssh, hostname: x, identification: SSH-2.0-x}}"
        decoy.write_persona(PERSONA.replace("services:\n", f"services:\n      {ssh}\n", 1))
        decoy.wait_for("SettingsLoaded", 2)
        assert knock_only(MX, SSH)  # left to Cowrie, or to whoever listens there
        decoy.end(9)
        assert knock_only(DARK, SSH)


def knock_only(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1.0):
        return True
    return False


def test_without_the_kernels_help_such_a_port_opens_and_is_reset_and_that_is_told(begin: Begin) -> None:
    decoy = begin(is_privileged=False)
    assert "CAP_BPF" in decoy.wait_for("PortFilterMissing")["remedy"]
    assert knock(MX, HTTP, patience_s=10) == "reset"
    assert knock(DARK, HTTP + 1) == "refused"
    assert decoy.count("AttackerConnected") == 0
