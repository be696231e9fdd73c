"""The topology of the demo: one edge switch, two tenants, and a pool of each kind.

    sender   198.51.100.10   --+
    partner  198.51.100.200  --+-- bbr ----- 1 +----+ 2 ----- acme-gw ---+-- acme-mx    203.0.113.10
    attacker 198.51.100.66   --+               |    |                    +-- acme-pc    203.0.113.20
                                               | s1 |                    +-- acme-lap   10.0.0.5
             proxy1 192.0.2.11 ------------- 4 |    |
             proxy2 192.0.2.12 ------------- 5 |    | 3 ----- globex-gw -+-- globex-mx  203.0.113.74
           scanner1 192.0.2.21 ------------- 6 |    |                    +-- globex-pc  203.0.113.84
           scanner2 192.0.2.22 ------------- 7 |    |                    +-- globex-lap 10.0.0.5
         responder1 192.0.2.31 ------------- 8 |    |
             decoy1 192.0.2.41 ------------- 9 |    |
                av1 192.0.2.51 ------------ 10 |    |
                av2 192.0.2.52 ------------ 11 +----+

Every host but those at 10.0.0.5 has an IPv6 address too. Addresses and MACs are those of
`policies/demo.yaml`.

    sudo mn --custom mininet_topos/demo.py --topo demo --controller remote,port=6653
    postern lab up demo
"""

import os
import sys

# `mn` executes this file without a module, so the code's own file name leads to the other files. Their path
# comes last: an installed Postern has packages of its environment there, which are not for this Python.
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(sys._getframe().f_code.co_filename))))

from mininet_topos import plan
from mininet_topos.parts import EdgeTopo


class DemoTopo(EdgeTopo):
    """Ports and MACs as in `policies/demo.yaml`."""

    def build(self):
        s1 = self.add_edge_switch(1)
        self.add_site(plan.internet(), (s1, 1, plan.backbone()))
        self.add_site(plan.intranet(1, has_private=True), (s1, 2, plan.gateway(1)))
        self.add_site(plan.intranet(2, has_private=True), (s1, 3, plan.gateway(2)))
        self.add_gateway(s1, 4, plan.proxy(1))
        self.add_gateway(s1, 5, plan.proxy(2))
        self.add_gateway(s1, 6, plan.scanner(1), plan.SCANNER_VIPS)
        self.add_gateway(s1, 7, plan.scanner(2), plan.SCANNER_VIPS)
        self.add_gateway(s1, 8, plan.responder(1))
        self.add_decoy(s1, 9, plan.decoy(1), plan.tenant_networks(1, 2))
        self.add_server(s1, 10, plan.antivirus(1), plan.ANTIVIRUS_VIPS)
        self.add_server(s1, 11, plan.antivirus(2), plan.ANTIVIRUS_VIPS)


topos = {"demo": DemoTopo}
