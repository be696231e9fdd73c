"""Table `sample`: copies of packets to unpublished addresses and ports, sent to the controller as evidence.

Only copies arrive here, so a packet whose copy the meter drops still reaches its
decoy. The meter protects the controller from a flood.
"""

from collections.abc import Iterator

from controller.compiler.view import SwitchView
from controller.pipeline import priorities
from controller.pipeline.flows import CONTROLLER_NUMBER, Flow, Meter, Output, match
from controller.pipeline.tables import Table

SAMPLES_PER_S = 100
_METER = 1  # meters of decisions have higher numbers


def build_flows(view: SwitchView) -> Iterator[Flow]:
    if view.has_lures:
        tell = (Output(CONTROLLER_NUMBER),)
        yield Flow(Table.SAMPLE, priorities.MISS, match(), tell, None, "policy", _METER)


def build_meters(view: SwitchView) -> Iterator[Meter]:
    if view.has_lures:
        yield Meter(_METER, SAMPLES_PER_S, "policy")
