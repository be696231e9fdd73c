"""Table `commit`: the decision is written into the connection, so that it holds from now on."""

from collections.abc import Iterator

from controller.compiler.view import ETH_TYPES, SwitchView
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.fields import LABEL_INITIATOR, LABEL_RESPONDER, MAC_BITS
from controller.pipeline.flows import CommitConnection, DecTtl, Flow, Move, SetField, match
from controller.pipeline.tables import Table

_BOTH_ENDS = (
    Move(f.ETH_DST, f.CT_LABEL, MAC_BITS, target_offset=LABEL_RESPONDER),
    Move(f.ETH_SRC, f.CT_LABEL, MAC_BITS, target_offset=LABEL_INITIATOR),
)


def build_flows(view: SwitchView) -> Iterator[Flow]:
    actions = (CommitConnection(f.ZONE, _BOTH_ENDS), SetField(f.ETH_SRC, view.mac), DecTtl())
    for eth_type in ETH_TYPES:
        wanted = match((f.ETH_TYPE, eth_type))
        yield Flow(Table.COMMIT, priorities.NORMAL, wanted, actions, Table.FORWARD, "policy")
