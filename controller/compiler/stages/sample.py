"""Table `sample`: copies of packets for what nobody publishes, to the controller, as evidence.

Only copies come here, so whatever the meter drops has gone its way to a decoy all
the same. The meter keeps a flood from being one on the controller, too.
"""

from collections.abc import Iterator

from controller.compiler.view import SwitchView
from controller.pipeline import priorities
from controller.pipeline.flows import CONTROLLER_NUMBER, Flow, Meter, Output, match
from controller.pipeline.tables import Table

SAMPLES_PER_S = 100
_METER = 1  # those of decisions have higher numbers


def build_flows(view: SwitchView) -> Iterator[Flow]:
    if view.has_lures:
        tell = (Output(CONTROLLER_NUMBER),)
        yield Flow(Table.SAMPLE, priorities.MISS, match(), tell, None, "policy", _METER)


def build_meters(view: SwitchView) -> Iterator[Meter]:
    if view.has_lures:
        yield Meter(_METER, SAMPLES_PER_S, "policy")
