"""The building blocks of every topology: edge switch, routers, hosts behind them, gateways.

Configures a host of a topology: addresses, routes, kernel settings. Knows
nothing of services, policy or controller. Imports only Mininet and the standard
library, because it runs under the system's Python.

Every host on an edge port resolves the edge by real ARP and neighbour discovery.
Only MAC addresses are static, because the policy contains them.
"""

import os
import sys
from dataclasses import dataclass
from types import MappingProxyType

from mininet.node import Host, OVSSwitch
from mininet.topo import Topo

MARK = "postern-lab"  # external_ids key on bridges that are ours
OWNER_VARIABLE = "POSTERN_LAB_OWNER"
ANYIP_TABLE = 100

# Hosts configure no address automatically and send no router solicitations, and no
# reverse-path filter hides packets that the switch passes.
_QUIET = {
    "net.ipv6.conf.{scope}.accept_ra": 0,
    "net.ipv6.conf.{scope}.autoconf": 0,
    "net.ipv6.conf.{scope}.accept_dad": 0,
    "net.ipv6.conf.{scope}.dad_transmits": 0,
    "net.ipv6.conf.{scope}.router_solicitations": 0,
    "net.ipv6.conf.{scope}.use_tempaddr": 0,
    "net.ipv4.conf.{scope}.rp_filter": 0,
    "net.ipv4.conf.{scope}.send_redirects": 0,
    "net.ipv4.conf.{scope}.accept_redirects": 0,
}
# A kernel that was started with ipv6.disable=1 has no such file, and no `ip -6`.
_FAMILIES = (4, 6) if os.path.exists("/proc/net/if_inet6") else (4,)
_FORWARDING = {"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1}


@dataclass(frozen=True)
class Neighbour:
    """A host on an edge port. Addresses carry a prefix length; `edge` are its next hops, v4 then v6."""

    name: str
    mac: str
    addresses: tuple
    edge: tuple


@dataclass(frozen=True)
class Inside:
    """A host behind routers: role `outside`, `client` or `mail-server`, addresses, mail domain if any.

    `way_out` is the router of its site that it uses; the others are used if that one is gone.
    """

    name: str
    role: str
    addresses: tuple
    domain: str = ""
    way_out: int = 0


@dataclass(frozen=True)
class Site:
    """The site behind a router: its networks, the router's own addresses there, and the hosts."""

    networks: tuple
    router: tuple
    hosts: tuple


class EdgeSwitch(OVSSwitch):
    """A switch of the edge: userspace datapath, OpenFlow 1.4, fail-secure, and marked as ours."""

    def __init__(self, name, **params):
        params.setdefault("datapath", "user")
        params.setdefault("protocols", "OpenFlow14")
        params.setdefault("failMode", "secure")
        params["listenPort"] = None  # `mn` has every switch listen, where anyone may change its flows
        self.owner = os.environ.get(OWNER_VARIABLE, "mn")
        super().__init__(name, **params)

    def bridgeOpts(self):  # noqa: N802 - Mininet's name
        return f"{super().bridgeOpts()} external_ids:{MARK}={self.owner}"

    def start(self, controllers):
        self._refuse_foreign_bridge()
        for port in self.intfList():
            if self.ports[port]:
                self.cmd(
                    f"ethtool -K {port} tx off; sysctl -qw net.ipv6.conf.{port}.disable_ipv6=1;"
                    f" ip link set {port} arp off"
                )
        super().start(controllers)

    def _refuse_foreign_bridge(self):
        """Mininet would delete a bridge of the same name. Exit, so that `mn` does not clean up."""
        mark = self.cmd(f"ovs-vsctl --if-exists get bridge {self.name} external_ids").strip()
        if mark and f"{MARK}={self.owner}" not in mark.replace('"', ""):
            sys.exit(
                f"bridge {self.name} exists and is not Postern's: another program uses Open vSwitch; "
                f"remedy: remove it yourself (ovs-vsctl del-br {self.name}), or take the lab down first"
            )


class EdgeHost(Host):
    """A host that sends nothing unasked, configured from `steps`: arguments of `ip`, by family."""

    sysctls = MappingProxyType({})

    def __init__(self, name, **params):
        params["ip"] = None  # Mininet would hand out 10.0.0.x
        super().__init__(name, **params)
        # Before any interface exists, so that each inherits `default`.
        values = {
            key.format(scope=scope): value for scope in ("all", "default") for key, value in _QUIET.items()
        }
        values.update(self.sysctls)
        self.cmd("sysctl -qw " + " ".join(f"{key}={value}" for key, value in values.items()))

    def config(self, steps=(), **params):
        result = super().config(**params)
        self.cmd("ip link set lo up")
        for port in self.intfList():
            self.cmd(f"ethtool -K {port} tx off")
        complaints = [self._batch(family, steps) for family in _FAMILIES]
        if any(complaints):
            raise RuntimeError(f"{self.name} cannot be configured: {' '.join(complaints)}")
        return result

    def _batch(self, family, steps):
        lines = "\\n".join(arguments for wanted, arguments in steps if wanted == family)
        return self.cmd(f"printf '{lines}\\n' | ip -{family} -batch -").strip()


class RouterHost(EdgeHost):
    """Forwards between the edge and the hosts behind it."""

    sysctls = _FORWARDING


class GatewayHost(EdgeHost):
    """Answers for every address that the switch sends it (AnyIP): proxies and scanners."""


class EdgeTopo(Topo):
    """The vocabulary of topologies: switches, trunks, sites behind routers, gateways."""

    def add_edge_switch(self, number):
        return self.addSwitch(f"s{number}", cls=EdgeSwitch, dpid=f"{number:x}")

    def add_trunk(self, near, near_port, far, far_port):
        """Join two switches."""
        self.addLink(
            near,
            far,
            port1=near_port,
            port2=far_port,
            addr1=_port_mac(near, near_port),
            addr2=_port_mac(far, far_port),
        )

    def add_site(self, site, *places):
        """Attach one router for each (switch, port, neighbour), and the hosts of the site behind them all."""
        for switch, port, router in places:
            self._add_router(router, site)
            self._attach(switch, port, router)
        for number, host in enumerate(site.hosts, start=1):
            self._add_inside([router.name for _, _, router in places], number, site.router, host)

    def _add_router(self, router, site):
        device = f"{router.name}-eth0"
        steps = [*_addresses(router.addresses, device), *_defaults(router.edge, device)]
        # Packets to unused addresses of the site must not go back to the edge in a loop.
        steps += [(_family(network), f"route add unreachable {network}") for network in site.networks]
        for number, host in enumerate(site.hosts, start=1):
            inner = f"{router.name}-eth{number}"
            steps += _addresses(_alone(site.router), inner)
            steps += [(_family(address), f"route add {address} dev {inner}") for address in host.addresses]
        self.addHost(router.name, cls=RouterHost, role="router", steps=steps)

    def add_gateway(self, switch, port, neighbour, vips=()):
        """Attach a proxy or scanner at `switch:port`. `vips` are addresses of its pool, owned on `lo`."""
        device = f"{neighbour.name}-eth0"
        steps = [*_member(neighbour), *_addresses(_alone(vips), "lo")]
        for family, everything in ((4, "0.0.0.0/0"), (6, "::/0")):
            steps.append((family, f"rule add iif {device} lookup {ANYIP_TABLE}"))
            steps.append((family, f"route add local {everything} dev lo table {ANYIP_TABLE}"))
        self.addHost(neighbour.name, cls=GatewayHost, role="gateway", steps=steps)
        self._attach(switch, port, neighbour)

    def add_decoy(self, switch, port, neighbour, networks):
        """Attach a decoy at `switch:port`. It answers for every address in `networks`."""
        steps = [*_member(neighbour)]
        steps += [(_family(network), f"route add local {network} dev lo") for network in networks]
        self.addHost(neighbour.name, cls=GatewayHost, role="decoy", steps=steps)
        self._attach(switch, port, neighbour)

    def add_server(self, switch, port, neighbour, vips):
        """Attach a host at `switch:port` that answers at its own addresses and those of its pool."""
        steps = [*_member(neighbour), *_addresses(_alone(vips), "lo")]
        self.addHost(neighbour.name, cls=EdgeHost, role="server", steps=steps)
        self._attach(switch, port, neighbour)

    def _attach(self, switch, port, neighbour):
        near = _port_mac(switch, port)
        self.addLink(switch, neighbour.name, port1=port, port2=0, addr1=near, addr2=neighbour.mac)

    def _add_inside(self, routers, number, router_addresses, host):
        steps = []
        for place in range(len(routers)):
            device = f"{host.name}-eth{place}"
            steps += _addresses(_alone(host.addresses), device)
            metric = 100 + (place - host.way_out) % len(routers)
            steps += [
                (_family(hop), f"route add {_everything(hop)} via {hop} dev {device} metric {metric} onlink")
                for hop in router_addresses
            ]
        facts = {"role": host.role, "domain": host.domain, "addresses": host.addresses}
        self.addHost(host.name, cls=EdgeHost, steps=steps, **facts)
        for place, router in enumerate(routers):
            self.addLink(router, host.name, port1=number, port2=place)


def _member(neighbour):
    """Each member is alone with the edge on its link, so it reaches other members through the edge."""
    device = f"{neighbour.name}-eth0"
    yield from _addresses(neighbour.addresses, device)
    yield from ((_family(hop), f"route add {hop} dev {device}") for hop in neighbour.edge)
    yield from _defaults(neighbour.edge, device)


def _port_mac(switch, port):
    return f"02:5e:00:{int(switch.removeprefix('s')):02x}:00:{port:02x}"


def _everything(address):
    return "::/0" if _family(address) == 6 else "0.0.0.0/0"


def _family(address):
    return 6 if ":" in address else 4


def _alone(addresses):
    """Return each address as a network of its own: /32 or /128."""
    return [f"{address}/{128 if _family(address) == 6 else 32}" for address in addresses]


def _addresses(addresses, device):
    return [
        (_family(address), f"addr add {address} dev {device}{' nodad' if _family(address) == 6 else ''}")
        for address in addresses
    ]


def _defaults(next_hops, device):
    return [(_family(hop), f"route add {_everything(hop)} via {hop} dev {device}") for hop in next_hops]
