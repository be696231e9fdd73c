"""The single writer's two entry points: commands, which return a result, and events, which do not."""

from typing import TypeVar

from controller.runtime.asked import Asked
from controller.runtime.change_log import ChangeLog
from controller.runtime.context import Context
from controller.runtime.core import RuntimeCore, RuntimeDependencies
from controller.runtime.events import (
    OutcomeReceived,
    PacketsSampled,
    ProbeHeard,
    RuntimeEvent,
    SwitchConnected,
    SwitchDisconnected,
    TimePassed,
)
from controller.runtime.handlers import HANDLERS
from controller.runtime.permissions import check

R = TypeVar("R")


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
        """Carry out a command; return its result. Raise `Forbidden`, or what the command documents.

        The journal says who has changed what, and why.
        """
        before = self.core.revision
        try:
            check(asked.by, asked.command, self.core.antivirus.servers)
            context = Context(self._clock.monotonic(), asked.at_utc, asked.by)
            result: R = HANDLERS[type(asked.command)](self.core, asked.command, context)
        except Exception as error:
            self._changes.note_refused(asked, error)
            raise
        self._changes.note_made(asked, result, before, self.core.revision)
        return result

    def on(self, event: RuntimeEvent) -> None:
        """Process an event."""
        now = self._clock.monotonic()
        match event:
            case SwitchConnected(dpid, channel):
                self.core.switches.on_connected(now, dpid, channel)
            case SwitchDisconnected(dpid, channel):
                self.core.switches.on_disconnected(dpid, channel)
            case OutcomeReceived(dpid, channel, outcome):
                self.core.on_outcome(now, dpid, channel, outcome)
            case ProbeHeard(dpid, channel, port, origin):
                self.core.on_probe(now, dpid, channel, port, origin)
            case PacketsSampled(facts):
                self.core.suspicion.on_samples(now, self._clock.utc(), facts)
            case TimePassed():
                self.core.on_tick(now)
                self._changes.on_tick(now)
