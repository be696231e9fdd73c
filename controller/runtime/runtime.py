"""The single writer's two entry points: commands, which return a result, and events, which do not."""

from typing import TypeVar

from controller.runtime.asked import Asked
from controller.runtime.change_log import ChangeLog
from controller.runtime.commands.suspicion import AllowSource, EndDecisions, MakeDecisions, ReportEvidence
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore
from controller.runtime.dependencies import RuntimeDependencies
from controller.runtime.events import (
    BridgeRepairEnded,
    BridgesRead,
    BridgesUnread,
    OutcomeReceived,
    PacketsSampled,
    ProbeHeard,
    ProverReported,
    RuntimeEvent,
    SwitchConnected,
    SwitchDisconnected,
    TimePassed,
)
from controller.runtime.gate import ProofPending
from controller.runtime.handlers import HANDLERS
from controller.runtime.permissions import check
from controller.runtime.principals import CONTROLLER

R = TypeVar("R")


class StillStarting(Exception):
    """The controller does not know its policy yet; the text says what to do."""

    def __init__(self, state: str = "the controller is starting; remedy: ask again in a few seconds") -> None:
        super().__init__(state)


# What has no effect, and no rule to judge it by, before the first policy.
_NEED_A_POLICY = (MakeDecisions, EndDecisions, ReportEvidence, AllowSource)


class Runtime:
    """Not thread-safe: one loop calls it, for one command or event at a time."""

    def __init__(self, dependencies: RuntimeDependencies) -> None:
        self._clock = dependencies.clock
        self._changes = ChangeLog(dependencies.journal)
        self.core = RuntimeCore(dependencies)

    def start(self, file: str, text: str) -> None:
        """Load the policy from the operator's file, or the last good one if the file is not valid.

        Raise `ConfigErrors`, `CompileError` or `StoreError` if there is neither.
        """
        self.core.start(self._clock.monotonic(), self._clock.utc(), file, text)

    def handle(self, asked: Asked[R]) -> R:
        """Carry out a command; return its result.

        Raise `Forbidden`, `StillStarting`, or what the command documents.

        The journal says who has changed what, and why.
        """
        before = self.core.revision
        if asked.by != CONTROLLER and self.core.is_starting(self._clock.monotonic()):
            raise StillStarting
        if self.core.accepted is None and isinstance(asked.command, _NEED_A_POLICY):
            raise StillStarting("no policy is in force yet; remedy: postern status says what it waits for")
        try:
            check(asked.by, asked.command, self.core.antivirus.servers)
            self.core.look_at_ports(self._clock.monotonic())  # so that it answers for what was reported
            context = Context(self._clock.monotonic(), asked.at_utc, asked.by, asked.reason)
            result: R = HANDLERS[type(asked.command)](self.core, asked.command, context)
        except ProofPending:
            raise  # it is to be asked again
        except Exception as error:
            self._changes.note_refused(asked, error)
            raise
        self._changes.note_made(asked, result, before, self.core.revision)
        self.core.drift.look(self._clock.utc(), self.core.accepted)
        return result

    def catch_up(self) -> None:
        """Act on what commands and events have noted. The loop calls it whenever nothing else waits."""
        now = self._clock.monotonic()
        self.core.catch_up(now)
        self.core.drift.look(self._clock.utc(), self.core.accepted)
        self.core.look_at_proofs(now)

    @property
    def is_overdue(self) -> bool:
        """Return whether the loop must call `catch_up` although more work waits."""
        return self.core.is_overdue(self._clock.monotonic())

    def on(self, event: RuntimeEvent) -> None:
        """Process an event."""
        now = self._clock.monotonic()
        match event:
            case SwitchConnected(dpid, channel):
                self.core.switches.on_connected(now, dpid, channel)
            case SwitchDisconnected(dpid, channel):
                self.core.on_disconnected(now, dpid, channel)
            case OutcomeReceived(dpid, channel, outcome):
                self.core.on_outcome(now, dpid, channel, outcome)
            case ProbeHeard(dpid, channel, port, origin):
                self.core.on_probe(now, dpid, channel, port, origin)
            case PacketsSampled(facts):
                self.core.suspicion.on_samples(now, self._clock.utc(), facts)
            case BridgesRead() | BridgesUnread() | BridgeRepairEnded():
                self.core.on_bridges(now, event)
            case ProverReported(report):
                self.core.on_prover(now, self._clock.utc(), report)
            case TimePassed():
                self.core.on_tick(now)
                self._changes.on_tick(now)
        self.core.drift.look(self._clock.utc(), self.core.accepted)
