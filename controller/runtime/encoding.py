"""The interface that turns flows into what is sent to a switch; `controller.openflow` implements it."""

from collections.abc import Callable
from dataclasses import dataclass

from controller.pipeline.flows import Flow, Meter, SwitchState
from controller.sync.state import WireFlow, WireMeter, WireState


@dataclass(frozen=True, slots=True)
class Encoder:
    state: Callable[[SwitchState], WireState]
    flow: Callable[[Flow], WireFlow]
    meter: Callable[[Meter], WireMeter]
