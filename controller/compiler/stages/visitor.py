"""Table `visitor`: a packet that another switch brought home is taken up as if its sender were here.

The MAC of its sender can be relied on: the switch that admitted it has compared
it with the port. What else it admits was checked there, too.
"""

from collections.abc import Iterator

from controller.compiler.view import SwitchView
from controller.pipeline import fields as f
from controller.pipeline import priorities
from controller.pipeline.flows import Flow, SetField, match
from controller.pipeline.tables import Table


def build_flows(view: SwitchView) -> Iterator[Flow]:
    for visitor in view.visitors:
        yield Flow(
            Table.VISITOR,
            priorities.NORMAL,
            match((f.ETH_SRC, visitor.mac)),
            (SetField(f.ROLE, visitor.role), SetField(f.PARTY, visitor.party)),
            Table.TRACK,
            visitor.path,
        )
