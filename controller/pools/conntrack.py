"""Open sessions of each member, from what `ovs-appctl dpctl/dump-conntrack` prints. Pure.

The label of a connection names both ends (`pipeline.fields`); the responder is the
pool member. Connections whose end has come, and which conntrack only remembers
for a while, are not counted.
"""

import re
from collections import Counter
from collections.abc import Iterable

from controller.pipeline.fields import LABEL_RESPONDER, MAC_BITS, ZONES_PER_SWITCH, Zone

_LEGS = {Zone.OUTSIDE, Zone.SCAN}  # on the relay leg the responder is the tenant's server
_ENDED = frozenset({"TIME_WAIT", "CLOSING", "CLOSE", "CLOSED", "LAST_ACK", "FIN_WAIT_2"})
_ZONE = re.compile(r"\bzone=(\d+)")
_LABEL = re.compile(r"\blabels=0x([0-9a-f]{1,32})\b")
_STATE = re.compile(r"\bstate=([A-Z0-9_]+)")


def count_sessions(lines: Iterable[str]) -> Counter[str]:
    """Return open TCP sessions by the MAC of their responder."""
    counts: Counter[str] = Counter()
    for line in lines:
        zone, label, state = _ZONE.search(line), _LABEL.search(line), _STATE.search(line)
        if not (line.startswith("tcp") and zone and label and state):
            continue
        if int(zone[1]) % ZONES_PER_SWITCH in _LEGS and state[1] not in _ENDED:
            responder = (int(label[1], 16) >> LABEL_RESPONDER) & ((1 << MAC_BITS) - 1)
            counts[responder.to_bytes(6).hex(":")] += 1
    return counts
