"""One switch session: from connected, through read and sent, to confirmed, and watched from then on. Pure.

It takes what happened and returns what to do. A switch that reconnects is read and compared, never wiped.
After any failure (an error, a lost reply) the switch is read again, since that always shows its real state.

`installed`, with the overlay's own, is what the switch was confirmed to hold; `strays` is what it holds
differently, because another client has changed it. A monitor is requested before the switch is read, so that
no change falls between: what is reported while the switch is read overrides the reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf

from controller.sync.commands import ReadGroups, ReadSwitch, SendPlan, SwitchCommand
from controller.sync.comparison import is_restarted, split, took_effect, without_foreign
from controller.sync.outcomes import FlowsChanged, FlowUpdate, GroupsRead
from controller.sync.overlay import Overlay
from controller.sync.plan import Plan, difference
from controller.sync.refusal import RETRY_S, SwitchRefusal
from controller.sync.repair_pace import RepairPace
from controller.sync.state import WireFlow, WireKey, WireMeter, WireState
from controller.sync.strays import DesiredParts, Strays, fitted, repairing
from controller.sync.watch import Watch

REPLY_TIMEOUT_S = 15.0
_MOST_NOTED = 200_000  # changes while the switch is read; with more, it is read again


class Phase(StrEnum):
    OFFLINE = "offline"
    READING = "reading"
    SENDING = "sending"
    IN_STEP = "in step"
    DRIFTED = "drifted"  # another client has changed the switch; repaired soon, or only reported
    REFUSED = "refused"  # the switch refused our plan; tried again later


_AT_REST = (Phase.IN_STEP, Phase.DRIFTED)


@dataclass(slots=True)
class SwitchSession:
    """State of the control channel to one switch. `attempt` distinguishes late replies from current ones.

    `repairs_drift`: what others have changed is put right at once; otherwise only if `on_repair` asks for it.
    `repairs`: how often that was done. `refused`: what the switch does not take. `carried_out_revision`: its
    plan took effect, whatever others have changed beside it. `confirmed_revision`: the switch held exactly
    this, and no strays.
    """

    name: str
    phase: Phase = Phase.OFFLINE
    attempt: int = 0
    desired: WireState = field(default_factory=WireState)
    desired_revision: int = 0
    carried_out_revision: int = 0
    confirmed_revision: int = 0
    installed: WireState = field(default_factory=WireState)
    deadline: float = 0.0
    _resumes_at: float = 0.0  # a repair is sent alone; then the refused plan is sent again at this time
    last_error: str = ""
    last_plan: Plan = field(default_factory=Plan)
    flows_sent: int = 0
    overlay: Overlay = field(default_factory=Overlay)
    strays: Strays = field(default_factory=Strays)
    watch: Watch = field(default_factory=Watch)
    repairs_drift: bool = True
    repairs: int = 0
    refused: SwitchRefusal = field(default_factory=SwitchRefusal)
    _has_base: bool = False  # `installed` is what the switch held at some time
    _is_new: bool = True  # it has not been read since it connected
    _is_reading: bool = False
    _was_disturbed: bool = False  # the last reading was given up for a plan
    _in_doubt: bool = False  # whether the last plan took effect is not known
    _is_repairing: bool = False  # the plan on its way is a repair, too
    _repairs_once: bool = False
    _pace: RepairPace = field(default_factory=RepairPace)
    _while_reading: dict[WireKey, WireFlow | None] = field(default_factory=dict)
    _sent: WireState = field(default_factory=WireState)
    _sent_revision: int = 0
    _sent_overlay: Plan = field(default_factory=Plan)

    @property
    def held(self) -> WireState:
        """Return all that the switch holds, strays included, as far as is known; it does not change later."""
        return self.strays.over(self.installed, self.overlay.installed, self.overlay.installed_meters)

    @property
    def is_read(self) -> bool:
        """Return whether it is known what the switch holds, since it connected."""
        return self.phase is not Phase.OFFLINE and not self._is_new

    @property
    def work_since(self) -> float:
        """Return since when the switch is read or changed as a whole; infinite: it is not."""
        is_at_work = self._is_reading or self.phase is Phase.SENDING
        return self.deadline - REPLY_TIMEOUT_S if is_at_work else inf

    @property
    def is_drift_left(self) -> bool:
        """Return whether what others have changed stays as it is until a repair is asked for."""
        return self.phase is Phase.DRIFTED and not self.repairs_drift and not self._repairs_once

    @property
    def is_confirmed(self) -> bool:
        """Return whether the switch holds all that is desired now, and nothing else, as far as it reports."""
        is_settled = self.installed is self.desired and self.overlay.is_settled
        is_clean = not self.strays.count and not self.strays.is_cut
        return self.phase is Phase.IN_STEP and self.watch.is_recent and is_settled and is_clean

    def on_desired(self, now: float, revision: int, desired: WireState) -> tuple[SwitchCommand, ...]:
        """A policy was accepted: set what the switch must hold from now on."""
        self.desired, self.desired_revision = desired, revision
        return self._advance(now) if self.phase in (*_AT_REST, Phase.REFUSED) else ()

    def on_overlay(self, now: float) -> tuple[SwitchCommand, ...]:
        """The overlay has changed."""
        return self._advance(now) if self.phase in (*_AT_REST, Phase.REFUSED) else ()

    def expect_repair(self) -> None:
        """Let the next plan put right what others have changed, even if drift is only reported."""
        self._repairs_once = self.strays.count > 0
        if self.refused.is_repair:
            self._pace = RepairPace()

    def on_repair(self, now: float) -> tuple[SwitchCommand, ...]:
        """Put right what others have changed, even if drift is only reported."""
        self.expect_repair()
        return self._go_on(now)

    def on_connected(self, now: float) -> tuple[SwitchCommand, ...]:
        """The caller has just requested a monitor, since that must come before the first reading."""
        self.strays.clear()
        self.watch.on_connected()
        self._is_new, self._was_disturbed = True, False
        return self._read(now)

    def on_disconnected(self) -> tuple[SwitchCommand, ...]:
        self.phase = Phase.OFFLINE
        # What it will hold when it reconnects is unknown.
        self.carried_out_revision = self.confirmed_revision = 0
        # So is what it will refuse: it may be another switch.
        self.refused, self.last_error, self._pace = SwitchRefusal(), "", RepairPace()
        self.attempt += 1
        self._is_reading = False
        self.strays.clear()
        self.watch.on_disconnected()
        return ()

    def on_monitor_started(self, now: float) -> tuple[SwitchCommand, ...]:
        self.watch.on_started(now)
        return self._go_on(now)

    def on_monitor_refused(self, reason: str) -> tuple[SwitchCommand, ...]:
        self.watch.on_refused(reason)
        return ()

    def on_flows_changed(self, now: float, changed: FlowsChanged) -> tuple[SwitchCommand, ...]:
        """Others have changed flows, or the switch itself has."""
        before = self.strays.version
        for update in changed.updates:
            self._note(now, update)
        self._hurry(now, before)
        self.watch.on_reports(now, was_paused=changed.was_paused, was_resumed=changed.was_resumed)
        return self._go_on(now)

    def on_groups_touched(self, now: float) -> tuple[SwitchCommand, ...]:
        self.watch.groups_soon(now)
        return self._go_on(now)

    def on_groups_read(self, now: float, seen: GroupsRead) -> tuple[SwitchCommand, ...]:
        """A turn is requested while no plan is on its way, so it shows the state before any later plan."""
        if not self.watch.on_groups_read(now, seen.turn) or self.phase in (Phase.OFFLINE, Phase.READING):
            return ()
        before = self.strays.version
        self._compare_groups(WireState(groups=seen.groups, meters=seen.meters))
        self._hurry(now, before)
        return self._go_on(now)

    def on_read(self, now: float, attempt: int, held: WireState) -> tuple[SwitchCommand, ...]:
        if attempt != self.attempt or not self._is_reading:
            return ()
        self._is_reading = self._was_disturbed = False
        if self._is_new and (not self._has_base or is_restarted(self.installed, held)):
            self._take_over(held)
        else:
            self._compare(held)
        self._is_new, self._in_doubt = False, False
        updates, self._while_reading = self._while_reading, {}
        for key, flow in updates.items():
            self.strays.note_flow(key, self._expected(key), flow)
        self.watch.on_read(now)
        return self._advance(now)

    def on_committed(self, attempt: int) -> tuple[SwitchCommand, ...]:
        """The plan took effect: it overrides what was reported before, and what follows overrides it."""
        if attempt == self.attempt and self.phase is Phase.SENDING:
            self._commit()
        return ()

    def on_confirmed(self, now: float, attempt: int) -> tuple[SwitchCommand, ...]:
        if attempt != self.attempt or self.phase is not Phase.SENDING:
            return ()
        self._commit()
        self._note_carried_out(self._sent_revision)
        if self._is_repairing:
            self._pace = self._pace.after_confirmation(now)
        if self._resumes_at:
            return self._wait_again(now)
        if self._is_repairing or not self.refused.is_repair:
            self.refused = SwitchRefusal()
        self.last_error = self.refused.reason
        if self.strays.is_cut:
            self.watch.read_soon(now)
        if self._was_disturbed and self.watch.is_read_due(now):
            return self._read(now)  # plan after plan must not put it off for ever
        return self._advance(now)

    def on_refused(self, now: float, attempt: int, reason: str) -> tuple[SwitchCommand, ...]:
        """The switch refused the plan as a whole, so it still holds what it held before.

        A repair does not keep other plans back, nor they a repair: each is also sent alone. Another change of
        groups may have overtaken a repair: they are read before it is tried again; later, all of it is.
        """
        if attempt != self.attempt or self.phase is not Phase.SENDING:
            return ()
        is_first, is_repair = not self.refused.count, self._is_repairing and not self._resumes_at
        self.refused = self.refused.again(reason, is_repair=is_repair)
        self.last_error, self._in_doubt = reason, False
        self.overlay.compare_all()
        again_at = now if is_repair and is_first else now + self.refused.pause_s
        if self._resumes_at:
            self._pace = self._pace.not_before(again_at)
            return self._wait_again(now)
        if not is_repair:
            self.phase, self.deadline, self._pace = Phase.REFUSED, again_at, self._pace.not_after(now)
            return self._repair_alone(now)
        self.phase, self._pace = Phase.DRIFTED, self._pace.not_before(again_at)
        if is_first:
            self.watch.groups_soon(now, is_waited_for=True)
        else:
            self.watch.read_soon(now)
        return self._go_on(now)

    def on_tick(self, now: float) -> tuple[SwitchCommand, ...]:
        is_late = self._is_reading and now >= self.deadline
        is_silent = is_late or self.watch.is_silent(now, REPLY_TIMEOUT_S)
        if self.phase in _AT_REST and not is_silent:
            return self._go_on(now)
        if self.phase is Phase.REFUSED and now < self.deadline:
            return (*self._turn(now), *self._repair_alone(now))
        if self.phase is Phase.OFFLINE or (self.phase not in _AT_REST and now < self.deadline):
            return ()
        if self.phase is not Phase.REFUSED:
            self.last_error = f"no answer within {REPLY_TIMEOUT_S:.0f} s while {self.phase}"
        return self._read(now)

    def _go_on(self, now: float) -> tuple[SwitchCommand, ...]:
        """Repair, read groups, or read the whole switch, if that is due."""
        if self.phase not in _AT_REST:
            return self._repair_alone(now)
        commands = self._advance(now)
        if self.phase not in _AT_REST or self._is_reading or not self.watch.is_read_due(now):
            return commands
        if self._was_disturbed:
            return (*commands, *self._read(now))
        return (*commands, *self._begin_reading(now))

    def _turn(self, now: float) -> tuple[SwitchCommand, ...]:
        turn = self.watch.next_turn(now)
        return (ReadGroups(turn),) if turn else ()

    def _hurry(self, now: float, version: int) -> None:
        """Try again soon what was refused, if others have changed the switch since this version of strays."""
        if self.refused.count and self.strays.version != version:
            self._pace = self._pace.not_after(now + RETRY_S)
            if self.phase is Phase.REFUSED:
                self.deadline = min(self.deadline, now + RETRY_S)

    def _repair_alone(self, now: float) -> tuple[SwitchCommand, ...]:
        """Put right what others have changed, while the switch refuses another plan."""
        if self.phase is not Phase.REFUSED or not self._may_repair(now):
            return ()
        plan = repairing(Plan(), self.strays, self._wanted(self.strays, self.installed))
        if plan.is_empty:
            return ()
        self._is_repairing, self._resumes_at = True, self.deadline
        command = self._send(now, plan, is_repair=True)
        self._sent, self._sent_revision = self.installed, self.carried_out_revision
        return (command,)

    def _wait_again(self, now: float) -> tuple[SwitchCommand, ...]:
        """Go on waiting, as before a repair was sent alone."""
        self.phase, self.deadline, self._resumes_at = Phase.REFUSED, self._resumes_at, 0.0
        return self._turn(now)

    def _read(self, now: float) -> tuple[SwitchCommand, ...]:
        """Read the switch, and send nothing before that is done."""
        self.phase, self._resumes_at = Phase.READING, 0.0
        return self._begin_reading(now)

    def _begin_reading(self, now: float) -> tuple[SwitchCommand, ...]:
        self.attempt += 1
        self._is_reading, self.deadline = True, now + REPLY_TIMEOUT_S
        self._while_reading.clear()
        self.watch.on_reading(now)
        return (ReadSwitch(self.attempt),)

    def _advance(self, now: float) -> tuple[SwitchCommand, ...]:
        commands, plan = self._turn(now), Plan()
        if self.installed is not self.desired:
            plan = difference(self.desired, self.installed)
        if plan.is_empty:
            self.installed = self.desired
            self._note_carried_out(self.desired_revision)
            plan = self.overlay.next_plan(self.strays.lost_meters)
        is_repair, is_repairing = plan.is_empty, self._may_repair(now)
        if is_repairing:
            plan = repairing(plan, self.strays, self.wanted(self.strays))
        elif self.strays.count:
            plan = fitted(plan, self.strays)
        if not plan.is_empty:
            self._is_repairing = is_repairing
            return (*commands, self._send(now, plan, is_repair))
        self.phase = Phase.DRIFTED if self.strays.count else Phase.IN_STEP
        self._repairs_once &= self.strays.count > 0
        if self.phase is Phase.IN_STEP:
            self.refused = SwitchRefusal()
        self.last_error = self.refused.reason
        return commands

    def _note_carried_out(self, revision: int) -> None:
        self.carried_out_revision = revision
        if not self.strays.count and not self.strays.is_cut and not self.watch.awaits_groups:
            self.confirmed_revision = revision

    def _may_repair(self, now: float) -> bool:
        is_wished = self.repairs_drift or self._repairs_once
        is_due = now >= self._pace.due and not self.watch.awaits_groups
        return self.strays.count > 0 and is_wished and is_due

    def _send(self, now: float, plan: Plan, is_repair: bool) -> SendPlan:
        if self._is_reading:  # replies to it are not waited for any more
            self._is_reading, self._was_disturbed = False, True
            self.watch.read_soon(now)
        if self._is_repairing:
            self._pace = self._pace.after_sending(now)
        self.attempt += 1
        self.phase, self.deadline = Phase.SENDING, now + REPLY_TIMEOUT_S
        self._sent, self._sent_revision = self.desired, self.desired_revision
        self._sent_overlay = self.overlay.own_part(plan)
        self.last_plan, self._in_doubt = plan, True
        self.flows_sent += len(plan.put_flows) + len(plan.deleted_flows)
        return SendPlan(self.attempt, plan, is_repair)

    def _commit(self) -> None:
        if not self._in_doubt:
            return
        self._in_doubt = False
        self.installed = self._sent
        self.overlay.on_confirmed(self._sent_overlay)
        self.strays.on_committed(self.last_plan)
        self.repairs += self._is_repairing

    def _take_over(self, held: WireState) -> None:
        """Begin with what the switch holds, regardless of its origin; the difference is sent as a plan."""
        ours, foreign = without_foreign(held, self.desired)
        self.installed, flows, meters = split(ours)
        self.overlay.on_read(flows, meters)
        self.strays.clear()
        for key, flow in foreign.items():
            self.strays.note_flow(key, None, flow)
        self._has_base, self._repairs_once = True, True

    def _compare(self, held: WireState) -> None:
        """Find what the switch holds differently from what it was confirmed to hold."""
        if self._in_doubt and took_effect(self.last_plan, held):
            self._commit()
        self.overlay.compare_all()
        self.strays.clear()
        for key, flow in held.flows.items():
            expected = self._expected(key)
            if not flow.is_like(expected) and not self.desired.may_have_learned(flow):
                self.strays.note_flow(key, expected, flow)
        for part in (self.installed.flows, self.overlay.installed):
            for key, flow in part.items():
                if key not in held.flows:
                    self.strays.note_flow(key, flow, None)
        self._compare_groups(held)
        self._repairs_once |= self._is_new  # a switch that reconnects is always brought in step

    def _compare_groups(self, held: WireState) -> None:
        self.strays.note_groups(self.installed.groups, held.groups)
        if self.refused.count:
            self._take_over_meters(held.meters)
        own = self.overlay.installed_meters
        expected = {**self.installed.meters, **own} if own else self.installed.meters
        self.strays.note_meters(expected, held.meters)

    def _take_over_meters(self, held: Mapping[int, WireMeter]) -> None:
        """Count meters of a refused plan as installed: they are sent before its bundle, and stay."""
        wanted = self.desired.meters
        ours = {number: meter for number, meter in held.items() if wanted.get(number) == meter}
        if ours.items() - self.installed.meters.items():
            self.installed = replace(self.installed, meters={**self.installed.meters, **ours})

    def _note(self, now: float, update: FlowUpdate) -> None:
        flow = update.flow
        held = None if update.was_removed or self.desired.may_have_learned(flow) else flow
        if update.took_along:
            self.watch.groups_soon(now, is_waited_for=True)
        if self._is_reading and len(self._while_reading) < _MOST_NOTED:
            self._while_reading[flow.key] = held
        elif self._is_reading:
            self.watch.read_soon(now)
        if self.phase not in (Phase.OFFLINE, Phase.READING):
            self.strays.note_flow(flow.key, self._expected(flow.key), held)

    def _expected(self, key: WireKey) -> WireFlow | None:
        return self.installed.flows.get(key) or self.overlay.installed.get(key)

    def wanted(self, strays: Strays) -> DesiredParts:
        """Return what must be there in place of strays."""
        return self._wanted(strays, self.desired)

    def _wanted(self, strays: Strays, state: WireState) -> DesiredParts:
        keys = (*strays.flows, *strays.missing)
        flows = {key: flow for key in keys if (flow := state.flows.get(key) or self.overlay.confirmed(key))}
        meters = {
            number: meter
            for number in strays.meters
            if (meter := state.meters.get(number) or self.overlay.meters.get(number))
        }
        return DesiredParts(flows, state.groups, meters)
