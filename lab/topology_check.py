"""Compares the policy with the network of the lab. Pure."""

from collections.abc import Iterator

from controller.policy.model import Attachment, Member, Policy
from lab.network import Host, Network


def disagreements(policy: Policy, network: Network) -> list[str]:
    """Return the differences between policy and topology in switches, ports and MACs, one text each."""
    return [*_switches(policy, network), *_neighbours(policy, network)]


def _switches(policy: Policy, network: Network) -> Iterator[str]:
    standing = {switch.name: switch.dpid for switch in network.switches}
    for switch in policy.switches:
        if switch.name not in standing:
            yield f"switches.{switch.name}: the topology has no such switch"
        elif standing[switch.name] != switch.dpid:
            yield f"switches.{switch.name}: dpid {switch.dpid} in the policy, {standing[switch.name]} here"


def _neighbours(policy: Policy, network: Network) -> Iterator[str]:
    place_by_host = {host.name: _place(network, host) for host in network.hosts}
    for neighbour in named_neighbours(policy):
        if neighbour.name not in place_by_host and not _stands_at(neighbour, place_by_host):
            yield f"{neighbour.name}: no host of the topology is at {neighbour.at} with MAC {neighbour.mac}"
        elif neighbour.name in place_by_host and not _stands_at(neighbour, place_by_host):
            at, mac = place_by_host[neighbour.name]
            yield f"{neighbour.name}: {neighbour.at} with {neighbour.mac} in the policy, {at} with {mac} here"


def named_neighbours(policy: Policy) -> list[Attachment | Member]:
    """Return everything that the policy attaches to a port."""
    gateways = [gateway for tenant in policy.tenants for gateway in tenant.gateways]
    members = [member for pool in policy.pools for member in pool.members]
    return [*policy.uplinks, *gateways, *members]


def _stands_at(neighbour: Attachment | Member, place_by_host: dict[str, tuple[str, str]]) -> bool:
    return (str(neighbour.at), neighbour.mac) in place_by_host.values()


def _place(network: Network, host: Host) -> tuple[str, str]:
    """Return (`s1:4`, MAC) of a host's first interface."""
    first = host.ports[0]
    for switch in network.switches:
        for number, name in switch.ports.items():
            if name == first.peer_port and switch.name == first.peer:
                return f"{switch.name}:{number}", first.mac
    return f"behind {first.peer}", first.mac
