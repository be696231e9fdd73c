"""Table `visitor`: a packet that another switch brought home is taken up as if its sender were here.

The MAC of its sender can be relied on: the switch that admitted it has compared
it with the port. What else it admits was checked there, too. The packet may have to
go back over the trunk that it came by, which a switch does only once it has
forgotten by which port that was (ovs-fields(7), in_port).
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
