"""Which Cowrie a connection is for, and where to listen; out of personas, without any Cowrie."""

from ipaddress import ip_address, ip_network

from common.wire.decoy import DecoySettings, DecoyTenant
from services.cowrie.routing import RoutingTable
from services.cowrie.spec import to_answering, to_configuration, to_identity
from services.decoy.tenants import Tenants
from services.personas.parse import parse_persona

SSH = 'protocol: ssh, identification: "SSH-2.0-OpenSSH_9.2p1", hostname: srv1'
PERSONA = f"""\
postern-persona: 1
tenant: acme
hosts:
  mx:
    addresses: [203.0.113.10, "2001:db8:a::10"]
    services:
      22: {{{SSH}, users: {{root: [toor]}}}}
      23: {{protocol: telnet, hostname: srv1, users: {{bob: [bob]}}}}
      25: {{protocol: smtp, banner: "220 x", name: x, ehlo: [PIPELINING]}}
      2222: {{protocol: ssh, identification: "SSH-2.0-other", hostname: srv1}}
  web:
    addresses: [203.0.113.11]
    services: {{}}
  dark:
    addresses: dark
    services:
      22: {{{SSH}}}
"""
NETS = (ip_network("203.0.113.0/26"), ip_network("2001:db8:a::/48"))
acme = parse_persona(PERSONA, "acme.yaml")
settings = DecoySettings(
    secret=bytes(32).hex(), since=1_700_000_000, tenants=(DecoyTenant(name="acme", prefixes=NETS),)
)
directory = RoutingTable(Tenants(settings, {"acme": acme}))


def answering(address: str, port: int) -> str:
    found = directory.find(ip_address(address), port)
    return f"{found[0].name} {found[2]}" if found else ""


def test_each_address_meets_its_own_host() -> None:
    assert answering("203.0.113.10", 22) == "acme/mx ssh"
    assert answering("2001:db8:a::10", 23) == "acme/mx telnet"
    assert answering("203.0.113.50", 22) == "acme/dark ssh"


def test_a_host_without_ssh_is_no_dark_space() -> None:
    assert answering("203.0.113.11", 22) == ""


def test_other_ports_and_other_tenants_meet_nobody() -> None:
    assert (
        answering("203.0.113.10", 25) == answering("203.0.113.10", 9) == answering("198.51.100.1", 22) == ""
    )


def test_ports_that_differ_in_what_they_say_have_cowries_of_their_own() -> None:
    assert answering("203.0.113.10", 2222) == "acme/mx-2222 ssh"
    assert [spec.name for spec in directory.specs] == ["acme/mx", "acme/mx-2222", "acme/dark"]


def test_ssh_and_telnet_of_a_host_are_one_machine() -> None:
    (mx, _) = to_answering(acme, acme.hosts[0])
    assert mx.spec.shell.users == {"root": ("toor",), "bob": ("bob",)}


def test_configuration_is_one_line_a_key_whatever_a_persona_says() -> None:
    text = PERSONA.replace("SSH-2.0-OpenSSH_9.2p1", "SSH-2.0-${honeypot:hostname}")
    persona = parse_persona(text, "acme.yaml")
    configuration = to_configuration(to_answering(persona, persona.hosts[0])[0].spec, "decoy1", 1, {})
    assert "version = SSH-2.0-$${honeypot:hostname}\n" in configuration
    assert "listen_endpoints = \n" in configuration


def test_identity_has_the_algorithms_in_the_personas_order() -> None:
    ssh = "key_exchange: [b, a], ciphers: [c], macs: [d], host_keys: [e], compression: [none]"
    persona = parse_persona(PERSONA.replace("hostname: srv1", f"hostname: srv1, {ssh}", 1), "acme.yaml")
    identity = to_identity(to_answering(persona, persona.hosts[0])[0].spec)
    assert identity["algorithms"] == {
        "key_exchange": ["b", "a"],
        "host_keys": ["e"],
        "ciphers": ["c"],
        "macs": ["d"],
        "compression": ["none"],
    }


def test_named_hosts_are_listened_for_at_their_addresses_and_dark_ones_everywhere() -> None:
    places = sorted(f"{place.address} {place.port}" for place in directory.places())
    named = [f"{address} {port}" for address in ("2001:db8:a::10", "203.0.113.10") for port in (22, 2222, 23)]
    assert places == sorted([*named, "0.0.0.0 22", ":: 22"])
