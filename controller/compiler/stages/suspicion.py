"""Table `suspicion`: consequences of decisions about the source of a new connection.

No detector posts decisions yet, so every source passes.
"""

from collections.abc import Iterator

from controller.compiler.view import SwitchView
from controller.pipeline import priorities
from controller.pipeline.flows import Flow, match
from controller.pipeline.tables import Table


def build_flows(view: SwitchView) -> Iterator[Flow]:
    yield Flow(Table.SUSPICION, priorities.MISS, match(), (), Table.SERVICE, "policy")
