"""The interface that turns flows into what is sent to a switch; `controller.openflow` implements it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from controller.pipeline.flows import Flow, Meter, SwitchState
from controller.sync.parts import FindUsed
from controller.sync.state import WireFlow, WireGroup, WireMeter, WireState

EncodeFlow = Callable[[Flow], WireFlow]


class EncodeState(Protocol):
    """`before`: what an earlier state of the switch became; what has not changed is not encoded again."""

    def __call__(
        self, state: SwitchState, before: tuple[SwitchState, WireState] | None = None
    ) -> WireState: ...


@dataclass(frozen=True, slots=True)
class Encoder:
    state: EncodeState
    flow: EncodeFlow
    meter: Callable[[Meter], WireMeter]
    describe: Callable[[WireFlow | WireGroup | WireMeter], str]  # in words, whatever a switch reports
    find_used: FindUsed
