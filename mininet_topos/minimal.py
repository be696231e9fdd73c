"""The smallest edge: one switch, one tenant, one scanner. Exactly what `policies/minimal.yaml` needs.

sender   198.51.100.10   --+
partner  198.51.100.200  --+-- bbr ----- 1 +----+ 2 ----- acme-gw ---+-- acme-mx    203.0.113.10
attacker 198.51.100.66   --+               | s1 |                    +-- acme-pc    203.0.113.20
       scanner1 192.0.2.21 ------------- 3 +----+

sudo mn --custom mininet_topos/minimal.py --topo minimal --controller remote,port=6653
postern lab up minimal
"""

import os
import sys

# `mn` executes this file without a module, so the code's own file name leads to the other files. Their path
# comes last: an installed Postern has packages of its environment there, which are not for this Python.
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(sys._getframe().f_code.co_filename))))

from mininet_topos import plan
from mininet_topos.parts import EdgeTopo


class MinimalTopo(EdgeTopo):
    """Ports and MACs as in `policies/minimal.yaml`."""

    def build(self):
        s1 = self.add_edge_switch(1)
        self.add_site(plan.internet(), (s1, 1, plan.backbone()))
        self.add_site(plan.intranet(1), (s1, 2, plan.gateway(1)))
        self.add_gateway(s1, 3, plan.scanner(1), plan.SCANNER_VIPS)


topos = {"minimal": MinimalTopo}
