"""The topology of the demo: one edge switch, two tenants, two mail proxies, two scanners.

    sender   198.51.100.10   --+
    partner  198.51.100.200  --+-- bbr ----- 1 +----+ 2 ----- acme-gw ---+-- acme-mx    203.0.113.10
    attacker 198.51.100.66   --+               |    |                    +-- acme-pc    203.0.113.20
                                               | s1 |
             proxy1 192.0.2.11 ------------- 4 |    | 3 ----- globex-gw -+-- globex-mx  203.0.113.74
             proxy2 192.0.2.12 ------------- 5 |    |                    +-- globex-pc  203.0.113.84
           scanner1 192.0.2.21 ------------- 6 |    |
           scanner2 192.0.2.22 ------------- 7 +----+

Every host has an IPv6 address too; addresses and MACs are those of `policies/demo.yaml`.

    sudo mn --custom mininet_topos/demo.py --topo demo --controller remote,port=6653
    postern lab up demo
"""

import os
import sys

# `mn` executes this file without a module around it: find the neighbours from the code's own name.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(sys._getframe().f_code.co_filename))))

from mininet_topos.parts import EdgeTopo, Inside, Neighbour, Site

POOL_EDGE = ("192.0.2.1", "2001:db8:e::1")
SCANNER_VIPS = ("192.0.2.100", "2001:db8:e::100")

BACKBONE = Neighbour(
    "bbr",
    "02:bb:00:00:00:01",
    ("100.64.0.2/30", "2001:db8:64::2/126"),
    ("100.64.0.1", "2001:db8:64::1"),
)
INTERNET = Site(
    ("198.51.100.0/24", "2001:db8:bb::/48"),
    ("198.51.100.1", "2001:db8:bb::1"),
    (
        Inside("sender", "outside", ("198.51.100.10", "2001:db8:bb::10")),
        Inside("partner", "outside", ("198.51.100.200", "2001:db8:bb::200")),
        Inside("attacker", "outside", ("198.51.100.66", "2001:db8:bb::66")),
    ),
)
ACME_GW = Neighbour(
    "acme-gw",
    "02:aa:00:00:00:01",
    ("100.64.1.2/30", "2001:db8:64:1::2/126"),
    ("100.64.1.1", "2001:db8:64:1::1"),
)
ACME = Site(
    ("203.0.113.0/26", "2001:db8:a::/48"),
    ("203.0.113.1", "2001:db8:a::1"),
    (
        Inside("acme-mx", "mail-server", ("203.0.113.10", "2001:db8:a::10"), "acme.example"),
        Inside("acme-pc", "client", ("203.0.113.20", "2001:db8:a::20")),
    ),
)
GLOBEX_GW = Neighbour(
    "globex-gw",
    "02:aa:00:00:00:02",
    ("100.64.2.2/30", "2001:db8:64:2::2/126"),
    ("100.64.2.1", "2001:db8:64:2::1"),
)
GLOBEX = Site(
    ("203.0.113.64/26", "2001:db8:b::/48"),
    ("203.0.113.65", "2001:db8:b::1"),
    (
        Inside("globex-mx", "mail-server", ("203.0.113.74", "2001:db8:b::10"), "globex.example"),
        Inside("globex-pc", "client", ("203.0.113.84", "2001:db8:b::20")),
    ),
)


def member(name, mac, last):
    """Return a pool member of the edge: 192.0.2.LAST and 2001:db8:e::LAST, alone on its link."""
    return Neighbour(name, mac, (f"192.0.2.{last}/32", f"2001:db8:e::{last}/128"), POOL_EDGE)


class DemoTopo(EdgeTopo):
    """Ports and MACs as in `policies/demo.yaml`."""

    def build(self):
        s1 = self.add_edge_switch(1)
        self.add_router(s1, 1, BACKBONE, INTERNET)
        self.add_router(s1, 2, ACME_GW, ACME)
        self.add_router(s1, 3, GLOBEX_GW, GLOBEX)
        self.add_gateway(s1, 4, member("proxy1", "02:cc:00:00:00:01", 11))
        self.add_gateway(s1, 5, member("proxy2", "02:cc:00:00:00:02", 12))
        self.add_gateway(s1, 6, member("scanner1", "02:dd:00:00:00:01", 21), SCANNER_VIPS)
        self.add_gateway(s1, 7, member("scanner2", "02:dd:00:00:00:02", 22), SCANNER_VIPS)


topos = {"demo": DemoTopo}
