"""Table `commit`: the decision is written into the connection, so that it holds from now on."""

from collections.abc import Iterator

from controller.compiler.view import ETH_TYPES, SwitchView
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import LABEL_INITIATOR, LABEL_RESPONDER, MAC_BITS, Zone
from controller.pipeline.flows import CommitConnection, DecTtl, Flow, Move, match
from controller.pipeline.tables import Table

_BOTH_ENDS = (
    Move(f.ETH_DST, f.CT_LABEL, MAC_BITS, target_offset=LABEL_RESPONDER),
    Move(f.ETH_SRC, f.CT_LABEL, MAC_BITS, target_offset=LABEL_INITIATOR),
)


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for leg in Zone:
        actions = (CommitConnection(view.zone(leg), _BOTH_ENDS), DecTtl())
        for eth_type in ETH_TYPES:
            wanted = match((f.ZONE, leg), (f.ETH_TYPE, eth_type))
            yield Flow(Table.COMMIT, priorities.NORMAL, wanted, actions, Table.FORWARD, "policy")
