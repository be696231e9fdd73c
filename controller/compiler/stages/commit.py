"""Table `commit`: the decision is stored in the connection, so that it holds from now on.

The packet leaves before it is committed, and nothing follows the commit. Conntrack's memory of fragments
lets fragments that it has held too long go on with any packet that passes a `ct`: what follows a commit
would carry them out of this packet's port, past all tables. Where the commit translates an address, the
packet has to leave afterwards: it goes on in `forward` with its own MAC, by which held fragments are lost.
"""

from collections.abc import Iterator

from controller.compiler.view import ETH_TYPES, SwitchView, eth_type_of
from controller.ids import party_id
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import LABEL_INITIATOR, LABEL_RESPONDER, MAC_BITS, Zone
from controller.pipeline.flows import Clone, CommitConnection, DecTtl, Flow, Move, Resubmit, match
from controller.pipeline.tables import Table
from controller.policy.model import PoolKind

_BOTH_ENDS = (
    Move(f.ETH_DST, f.CT_LABEL, MAC_BITS, target_offset=LABEL_RESPONDER),
    Move(f.ETH_SRC, f.CT_LABEL, MAC_BITS, target_offset=LABEL_INITIATOR),
)
_LEAVE = Clone((DecTtl(), Resubmit(Table.FORWARD)))

# Legs without address translation; the last one is between scanners and anti-virus servers.
_SHARED = (Zone.OUTSIDE, Zone.RELAY, Zone.SCAN, Zone.UPDATE)


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for each in view.translated:
        zone = view.whole.client_zones[each.tenant.name]
        actions = (DecTtl(), CommitConnection(zone, _BOTH_ENDS, each.seen_as, Table.FORWARD))
        party = (f.PARTY, party_id(f"tenants.{each.tenant.name}"))
        wanted = match((f.ZONE, Zone.CLIENT), party, eth_type_of(each.vip))
        yield Flow(Table.COMMIT, priorities.NORMAL, wanted, actions, None, f"{each.path}.as.{each.seen_as}")
    for leg in _SHARED if view.has(PoolKind.ANTIVIRUS) else _SHARED[:3]:
        leave_and_remember = (_LEAVE, CommitConnection(view.zone(leg), _BOTH_ENDS))
        for eth_type in ETH_TYPES:
            wanted = match((f.ZONE, leg), (f.ETH_TYPE, eth_type))
            yield Flow(Table.COMMIT, priorities.NORMAL, wanted, leave_and_remember, None, "policy")
