"""One switch session: from connected, through read and sent, to confirmed. Pure.

It takes what happened and returns what to do. A switch that reconnects is read and
compared, never wiped. After any failure (an error, a lost reply) the switch is read
again, since that always shows its real state.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from controller.ids import is_decision_meter, is_numbered
from controller.sync.overlay import Overlay
from controller.sync.plan import Plan, difference
from controller.sync.state import WireFlow, WireKey, WireMeter, WireState

REPLY_TIMEOUT_S = 15.0
RETRY_S = 2.0


class Phase(StrEnum):
    OFFLINE = "offline"
    READING = "reading"
    SENDING = "sending"
    IN_STEP = "in step"
    REFUSED = "refused"  # the switch refused our plan; tried again later


@dataclass(frozen=True, slots=True)
class ReadSwitch:
    """Ask the switch for all its flows and groups."""

    attempt: int


@dataclass(frozen=True, slots=True)
class SendPlan:
    attempt: int
    plan: Plan


SwitchCommand = ReadSwitch | SendPlan


@dataclass(slots=True)
class SwitchSession:
    """State of the control channel to one switch. `attempt` distinguishes late replies from current ones."""

    name: str
    phase: Phase = Phase.OFFLINE
    attempt: int = 0
    desired: WireState = field(default_factory=WireState)
    desired_revision: int = 0
    confirmed_revision: int = 0
    installed: WireState = field(default_factory=WireState)
    deadline: float = 0.0
    last_error: str = ""
    last_plan: Plan = field(default_factory=Plan)
    flows_sent: int = 0
    overlay: Overlay = field(default_factory=Overlay)
    _sent: WireState = field(default_factory=WireState)
    _sent_revision: int = 0
    _sent_overlay: Plan = field(default_factory=Plan)

    def on_desired(self, now: float, revision: int, desired: WireState) -> tuple[SwitchCommand, ...]:
        """A policy was accepted: set what the switch must hold from now on."""
        self.desired, self.desired_revision = desired, revision
        return self._advance(now) if self.phase in (Phase.IN_STEP, Phase.REFUSED) else ()

    def on_overlay(self, now: float) -> tuple[SwitchCommand, ...]:
        """The overlay has changed."""
        return self._advance(now) if self.phase in (Phase.IN_STEP, Phase.REFUSED) else ()

    def on_connected(self, now: float) -> tuple[SwitchCommand, ...]:
        return self._read(now)

    def on_disconnected(self) -> tuple[SwitchCommand, ...]:
        self.phase = Phase.OFFLINE
        self.confirmed_revision = 0  # what it will hold when it reconnects is unknown
        self.attempt += 1
        return ()

    def on_read(self, now: float, attempt: int, installed: WireState) -> tuple[SwitchCommand, ...]:
        if attempt != self.attempt or self.phase is not Phase.READING:
            return ()
        self.installed, flows, meters = split(installed)
        self.overlay.on_read(flows, meters)
        return self._advance(now)

    def on_confirmed(self, now: float, attempt: int) -> tuple[SwitchCommand, ...]:
        if attempt != self.attempt or self.phase is not Phase.SENDING:
            return ()
        self.installed, self.confirmed_revision = self._sent, self._sent_revision
        self.overlay.on_confirmed(self._sent_overlay)
        self.last_error = ""
        return self._advance(now)

    def on_refused(self, now: float, attempt: int, reason: str) -> tuple[SwitchCommand, ...]:
        """The switch refused the plan as a whole, so it still holds what it held before."""
        if attempt != self.attempt or self.phase is not Phase.SENDING:
            return ()
        self.phase, self.last_error, self.deadline = Phase.REFUSED, reason, now + RETRY_S
        return ()

    def on_tick(self, now: float) -> tuple[SwitchCommand, ...]:
        is_waiting = self.phase in (Phase.READING, Phase.SENDING, Phase.REFUSED)
        if not is_waiting or now < self.deadline:
            return ()
        if self.phase is not Phase.REFUSED:
            self.last_error = f"no answer within {REPLY_TIMEOUT_S:.0f} s while {self.phase}"
        return self._read(now)

    def _read(self, now: float) -> tuple[SwitchCommand, ...]:
        self.attempt += 1
        self.phase, self.deadline = Phase.READING, now + REPLY_TIMEOUT_S
        return (ReadSwitch(self.attempt),)

    def _advance(self, now: float) -> tuple[SwitchCommand, ...]:
        plan, self._sent_overlay = Plan(), Plan()
        if self.installed is not self.desired:
            plan = difference(self.desired, self.installed)
        if plan.is_empty:
            self.installed, self.confirmed_revision = self.desired, self.desired_revision
            plan = self._sent_overlay = self.overlay.next_plan()
        if plan.is_empty:
            self.phase, self.last_error = Phase.IN_STEP, ""
            return ()
        self.attempt += 1
        self.phase, self.deadline = Phase.SENDING, now + REPLY_TIMEOUT_S
        self._sent, self._sent_revision = self.desired, self.desired_revision
        self.last_plan = plan
        self.flows_sent += len(plan.put_flows) + len(plan.deleted_flows)
        return (SendPlan(self.attempt, plan),)


def split(state: WireState) -> tuple[WireState, dict[WireKey, WireFlow], dict[int, WireMeter]]:
    """Return what a switch holds for the policy, and the flows and meters it holds for decisions."""
    flows = {key: flow for key, flow in state.flows.items() if is_numbered(flow.cookie)}
    meters = {number: each for number, each in state.meters.items() if is_decision_meter(number)}
    rest = WireState(
        {key: flow for key, flow in state.flows.items() if key not in flows},
        state.groups,
        state.learned,
        {number: each for number, each in state.meters.items() if number not in meters},
    )
    return rest, flows, meters
