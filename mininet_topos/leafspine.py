"""Leaf and spine: two spines, six leaves, twenty tenants, and pools on two leaves of their own.

            +----+           +----+
            | s1 |           | s2 |                     spines: ports 1..6 lead to leaves s3..s8
            +----+           +----+
             | | |  ...       | | |  ...                every leaf: port 11 to s1, port 12 to s2
      +------+-+-+----+-------+-+-+---------+-------------+
      |        |      |         |           |             |
   +----+   +----+ +----+    +----+      +----+        +----+
   | s3 |   | s4 | | s5 |    | s6 |      | s7 |        | s8 |
   +----+   +----+ +----+    +----+      +----+        +----+
    bbr1     bbr2   tenants   tenants     tenants       proxy1, proxy2, proxy3
    proxy4   scanner3  1..7    8..14       15..20       scanner1, scanner2

bbr1 and bbr2 lead to the same hosts outside; sender and partner use bbr1, the
attacker bbr2. Tenant T is at port ((T-1) mod 7) + 1 of its leaf. Each has a mail
server and a client. Addresses as in `mininet_topos/plan.py`; `policies/leafspine.yaml`
has the MACs.

    sudo mn --custom mininet_topos/leafspine.py --topo leafspine --controller remote,port=6653
    postern lab up leafspine
"""

import os
import sys

# `mn` executes this file without a module, so the code's own file name leads to the other files. Their path
# comes last: an installed Postern has packages of its environment there, which are not for this Python.
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(sys._getframe().f_code.co_filename))))

from mininet_topos import plan
from mininet_topos.parts import EdgeTopo

SPINES = (1, 2)
LEAVES = (3, 4, 5, 6, 7, 8)
TENANT_LEAVES = (5, 6, 7)
TENANTS_PER_LEAF = 7


class LeafSpineTopo(EdgeTopo):
    """Ports and MACs as in `policies/leafspine.yaml`."""

    def build(self):
        switches = {number: self.add_edge_switch(number) for number in (*SPINES, *LEAVES)}
        for spine in SPINES:
            for leaf in LEAVES:
                self.add_trunk(switches[spine], leaf - LEAVES[0] + 1, switches[leaf], 10 + spine)
        self.add_site(
            plan.internet((0, 0, 1)),
            (switches[3], 1, plan.backbone(1, "bbr1")),
            (switches[4], 1, plan.backbone(2, "bbr2")),
        )
        for tenant in range(1, len(plan.NAMES) + 1):
            leaf, port = divmod(tenant - 1, TENANTS_PER_LEAF)
            place = (switches[TENANT_LEAVES[leaf]], port + 1, plan.gateway(tenant))
            self.add_site(plan.intranet(tenant), place)
        for port, number in enumerate((1, 2, 3), start=1):
            self.add_gateway(switches[8], port, plan.proxy(number))
        self.add_gateway(switches[3], 2, plan.proxy(4))
        self.add_gateway(switches[8], 4, plan.scanner(1), plan.SCANNER_VIPS)
        self.add_gateway(switches[8], 5, plan.scanner(2), plan.SCANNER_VIPS)
        self.add_gateway(switches[4], 2, plan.scanner(3), plan.SCANNER_VIPS)


topos = {"leafspine": LeafSpineTopo}
