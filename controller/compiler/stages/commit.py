"""Table `commit`: the decision is stored in the connection, so that it holds from now on."""

from collections.abc import Iterator

from controller.compiler.view import ETH_TYPES, SwitchView, eth_type_of
from controller.ids import party_id
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import LABEL_INITIATOR, LABEL_RESPONDER, MAC_BITS, Zone
from controller.pipeline.flows import CommitConnection, DecTtl, Flow, Move, match
from controller.pipeline.tables import Table
from controller.policy.model import PoolKind

_BOTH_ENDS = (
    Move(f.ETH_DST, f.CT_LABEL, MAC_BITS, target_offset=LABEL_RESPONDER),
    Move(f.ETH_SRC, f.CT_LABEL, MAC_BITS, target_offset=LABEL_INITIATOR),
)


# Legs without address translation; the last one is between scanners and anti-virus servers.
_SHARED = (Zone.OUTSIDE, Zone.RELAY, Zone.SCAN, Zone.UPDATE)


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for each in view.translated:
        zone = view.whole.client_zones[each.tenant.name]
        actions = (CommitConnection(zone, _BOTH_ENDS, each.seen_as), DecTtl())
        party = (f.PARTY, party_id(f"tenants.{each.tenant.name}"))
        wanted = match((f.ZONE, Zone.CLIENT), party, eth_type_of(each.vip))
        yield Flow(
            Table.COMMIT, priorities.NORMAL, wanted, actions, Table.FORWARD, f"{each.path}.as.{each.seen_as}"
        )
    for leg in _SHARED if view.has(PoolKind.ANTIVIRUS) else _SHARED[:3]:
        actions = (CommitConnection(view.zone(leg), _BOTH_ENDS), DecTtl())
        for eth_type in ETH_TYPES:
            wanted = match((f.ZONE, leg), (f.ETH_TYPE, eth_type))
            yield Flow(Table.COMMIT, priorities.NORMAL, wanted, actions, Table.FORWARD, "policy")
