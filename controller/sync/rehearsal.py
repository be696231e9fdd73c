"""What a session would send if a policy were accepted now, found by letting a copy of it do so. Pure.

The copy goes through the same states as the session itself, so the two cannot differ. Plans that are on
their way are taken as confirmed.
"""

from collections.abc import Iterable, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass

from controller.sync.commands import SendPlan, SwitchCommand
from controller.sync.overlay import Patch
from controller.sync.plan import Plan
from controller.sync.session import Phase, SwitchSession
from controller.sync.state import WireState
from controller.sync.strays import Stray, Strays


@dataclass(frozen=True, slots=True)
class Prospects:
    """What a session would be told: the desired state, changes for decisions, and whether to repair drift."""

    desired: WireState
    patches: Sequence[Patch] = ()
    repairs_drift: bool = True


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """`plans`: in the order in which they would be sent. Plans that only repair drift are not among them.

    `is_known`: the switch is connected and was read. Otherwise the plans are what would be sent if it still
    held what it held last. `strays`: what others have changed; it is put right as well.
    """

    plans: tuple[Plan, ...]
    is_known: bool
    strays: tuple[Stray, ...] = ()


def rehearse(session: SwitchSession, now: float, prospects: Prospects) -> Rehearsal:
    """Return what the session would send; the session itself does not change."""
    actor = _copy(session)
    actor.expect_repair()
    for patch in prospects.patches:
        actor.overlay.remove(patch.gone, patch.gone_meters)
        actor.overlay.put(patch.flows, patch.meters)
    commands: tuple[SwitchCommand, ...] = ()
    if not actor.overlay.is_settled:
        commands = actor.on_overlay(now)
    actor.repairs_drift = prospects.repairs_drift
    commands += actor.on_desired(now, actor.desired_revision + 1, prospects.desired)
    commands += actor.on_repair(now)
    if actor.phase is Phase.SENDING and not _plans_in(commands):
        commands = actor.on_confirmed(now, actor.attempt)
    if actor.phase in (Phase.OFFLINE, Phase.READING):
        commands = _as_after_a_read(actor, now)
    is_known = session.phase not in (Phase.OFFLINE, Phase.READING)
    left = _strays_left(session)
    strays = left.against(actor.wanted(left))
    return Rehearsal(tuple(_play(actor, now, commands)), is_known, strays)


def _copy(session: SwitchSession) -> SwitchSession:
    actor = copy(session)
    actor.overlay, actor.watch = session.overlay.copy(), copy(session.watch)
    actor.strays = deepcopy(session.strays) if session.strays.count else type(session.strays)()
    actor._while_reading = dict(session._while_reading)
    return actor


def _strays_left(session: SwitchSession) -> Strays:
    """Return what others have changed, without what a plan on its way puts right."""
    if session.phase is not Phase.SENDING or not session.strays.count:
        return session.strays
    left = deepcopy(session.strays)
    left.on_committed(session.last_plan)
    return left


def _plans_in(commands: tuple[SwitchCommand, ...]) -> list[SendPlan]:
    return [command for command in commands if isinstance(command, SendPlan)]


def _as_after_a_read(actor: SwitchSession, now: float) -> tuple[SwitchCommand, ...]:
    """Return what the session would send after a read that finds what the switch held last."""
    if actor.phase is not Phase.READING:
        actor.on_connected(now)
    return actor.on_read(now, actor.attempt, held_by(actor))


def _play(actor: SwitchSession, now: float, commands: tuple[SwitchCommand, ...]) -> Iterable[Plan]:
    """Yield plans, each after the one before it was confirmed. Requests to read the switch are left out."""
    while sent := _plans_in(commands):
        (command,) = sent
        if not command.is_repair:
            yield command.plan
        commands = actor.on_confirmed(now, command.attempt)


def held_by(session: SwitchSession) -> WireState:
    """Return all that a switch held when it last confirmed or was read, decisions included."""
    held, overlay = session.installed, session.overlay
    return WireState(
        {**held.flows, **overlay.installed},
        held.groups,
        held.learned,
        {**held.meters, **overlay.installed_meters},
    )


def all_of(plans: Iterable[Plan]) -> Plan:
    """Return plans that follow each other as one."""
    parts = tuple(plans)
    return Plan(*(sum((getattr(part, name) for part in parts), ()) for name in Plan.__slots__))
