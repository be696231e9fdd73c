"""Table `visitor`: treats a packet that another switch brought home as if its sender were connected here.

The sender's MAC can be trusted: the switch that admitted the packet has compared it
with the port, and has made all other checks. The packet may have to go back over the
trunk that it arrived on. A switch does that only if the packet's input port is cleared
(ovs-fields(7), in_port).
"""

from collections.abc import Iterator

from controller.compiler.view import SwitchView
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.flows import Flow, SetField, match
from controller.pipeline.tables import Table

_NO_PORT = 0


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for visitor in view.visitors:
        yield Flow(
            Table.VISITOR,
            priorities.NORMAL,
            match((f.ETH_SRC, visitor.mac)),
            (
                SetField(f.ROLE, visitor.role),
                SetField(f.PARTY, visitor.party),
                SetField(f.CAME_BY, _NO_PORT),
            ),
            Table.TRACK,
            visitor.path,
        )
