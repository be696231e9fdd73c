"""Packets that neighbours of an edge may send, and where the compiled tables take them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address

from controller.compiler.compile import compile_policy
from controller.compiler.neighbours import Neighbour, neighbours_of
from controller.compiler.network_state import ALL_IS_WELL, Conditions
from controller.pipeline import fields as f
from controller.pipeline.fields import EthType, Field, IpProto
from controller.policy.model import Address, Policy
from tests.compiler.walk import Walk


@dataclass(frozen=True, slots=True)
class Probe:
    """The first segment of a TCP connection."""

    source: Address
    destination: Address
    port: int
    source_port: int = 2000

    def fields(self, own_mac: int, next_mac: int) -> dict[Field, int]:
        is_v4 = self.source.version == 4
        return {
            f.ETH_SRC: own_mac,
            f.ETH_DST: next_mac,
            f.ETH_TYPE: EthType.IPV4 if is_v4 else EthType.IPV6,
            f.IP_PROTO: IpProto.TCP,
            (f.IPV4_SRC if is_v4 else f.IPV6_SRC): int(self.source),
            (f.IPV4_DST if is_v4 else f.IPV6_DST): int(self.destination),
            f.TCP_SRC: self.source_port,
            f.TCP_DST: self.port,
        }


class Reach:
    """Who is reached by what, for one policy."""

    def __init__(self, policy: Policy, conditions: Conditions = ALL_IS_WELL) -> None:
        self.policy = policy
        self.neighbours = tuple(neighbours_of(policy))
        self._walk = Walk(policy, compile_policy(policy, conditions))
        self._macs = {switch.name: int(switch.mac.replace(":", ""), 16) for switch in policy.switches}

    @cached_property
    def _path_by_place(self) -> dict[object, str]:
        return {each.at: each.path for each in self.neighbours}

    def reached(self, sender: Neighbour, probe: Probe) -> set[str]:
        """Return the paths of the neighbours that a packet may be handed to."""
        packet = probe.fields(sender.mac, self._macs[sender.at.switch])
        arrivals = self._walk.arrivals(sender.at, packet)
        by_mac = {each.mac: each.path for each in self.neighbours}
        for arrival in arrivals:
            assert by_mac[arrival.next_hop] == self._path_by_place[arrival.at], "a MAC at another's port"
        return {self._path_by_place[arrival.at] for arrival in arrivals}


def addresses_of(policy: Policy) -> dict[str, list[Address]]:
    """Return one of everybody's addresses in each family, by whose they are."""
    found: dict[str, list[Address]] = {"outside": [*map(ip_address, ("198.51.100.10", "2001:db8:bb::10"))]}
    for tenant in policy.tenants:
        servers = [*tenant.mail.servers] if tenant.mail else []
        others = [prefix.network_address + 20 for prefix in tenant.prefixes]
        found[f"tenants.{tenant.name}.mail"] = servers
        found[f"tenants.{tenant.name}.other"] = others
        if tenant.antivirus:
            found[f"seats.{tenant.name}"] = [*tenant.antivirus.addresses]
    for pool in policy.pools:
        found[f"pools.{pool.name}.vip"] = [*pool.vip]
        found[f"pools.{pool.name}.edge"] = [*pool.edge]
        for member in pool.members:
            found[f"pools.{pool.name}.members.{member.name}"] = [*member.addresses]
    for uplink in policy.uplinks:
        found[f"uplinks.{uplink.name}.edge"] = [*uplink.edge]
    return found


PORTS = (25, 80, 3310, 587)


def probes_between(sources: list[Address], destinations: list[Address]) -> Iterator[Probe]:
    for source in sources:
        for destination in destinations:
            if source.version == destination.version and source != destination:
                for port in PORTS:
                    yield Probe(source, destination, port)
