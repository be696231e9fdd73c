"""Four switches in a ring, with the pools spread over them; acme and the backbone have two entry points each.

    sender, partner --- bbr1                                          proxy2    192.0.2.12
           (and bbr2)     \\                                          scanner1  192.0.2.21
                           1                                         1 2 3 --- decoy1 192.0.2.41
       acme-gw1 --------- 2 +----+ 11 -------------------------- 12 +----+
       proxy1 ----------- 3 | s1 |                                  | s2 |
       av1    ----------- 4 +----+ 12                            11 +----+
                                 |                                   |
                                 |                                   |
       globex-gw -------- 2 +----+ 11                            12 +----+ 1 --- bbr2 --- attacker
       proxy3 ----------- 1 | s4 |                                  | s3 | 2 --- acme-gw2
       decoy2 ----------- 3 +----+ 12 -------------------------- 11 +----+ 3 --- scanner2 192.0.2.22
                                                                         4 --- av2      192.0.2.52

acme-lap and globex-lap are both at 10.0.0.5. acme-mx and acme-pc are behind both
gateways of acme. Packets from the edge come through either one; acme-mx answers
through acme-gw2, acme-pc through acme-gw1. The hosts outside are behind both
routers: sender and partner send through bbr1, the attacker through bbr2. So both
directions of a connection often enter at different switches. Addresses as in
`mininet_topos/plan.py`; `policies/ring.yaml` has the MACs.

    sudo mn --custom mininet_topos/ring.py --topo ring --controller remote,port=6653
    postern lab up ring
"""

import os
import sys

# `mn` executes this file without a module, so the code's own file name leads to the other files. Their path
# comes last: an installed Postern has packages of its environment there, which are not for this Python.
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(sys._getframe().f_code.co_filename))))

from mininet_topos import plan
from mininet_topos.parts import EdgeTopo


class RingTopo(EdgeTopo):
    """Ports and MACs as in `policies/ring.yaml`."""

    def build(self):
        s1, s2, s3, s4 = (self.add_edge_switch(number) for number in (1, 2, 3, 4))
        for near, far in ((s1, s2), (s2, s3), (s3, s4), (s4, s1)):
            self.add_trunk(near, 11, far, 12)
        self.add_site(
            plan.internet((0, 0, 1)), (s1, 1, plan.backbone(1, "bbr1")), (s3, 1, plan.backbone(2, "bbr2"))
        )
        self.add_site(
            plan.intranet(1, (1, 0), has_private=True),
            (s1, 2, plan.gateway(1, 1, "acme-gw1")),
            (s3, 2, plan.gateway(1, 2, "acme-gw2")),
        )
        self.add_site(plan.intranet(2, has_private=True), (s4, 2, plan.gateway(2)))
        self.add_gateway(s1, 3, plan.proxy(1))
        self.add_gateway(s2, 1, plan.proxy(2))
        self.add_gateway(s4, 1, plan.proxy(3))
        self.add_gateway(s2, 2, plan.scanner(1), plan.SCANNER_VIPS)
        self.add_gateway(s3, 3, plan.scanner(2), plan.SCANNER_VIPS)
        self.add_decoy(s2, 3, plan.decoy(1), plan.tenant_networks(1, 2))
        self.add_decoy(s4, 3, plan.decoy(2), plan.tenant_networks(1, 2))
        self.add_server(s1, 4, plan.antivirus(1), plan.ANTIVIRUS_VIPS)
        self.add_server(s3, 4, plan.antivirus(2), plan.ANTIVIRUS_VIPS)


topos = {"ring": RingTopo}
