"""What is known of one switch of the policy."""

from dataclasses import dataclass, field

from controller.runtime.channel import Channel
from controller.sync.outcomes import Port, SwitchRead, SwitchSettings
from controller.sync.session import Phase, SwitchSession


@dataclass(slots=True)
class SwitchRecord:
    """A switch of the policy: its session, its channel if it is connected, and what is wrong with it."""

    session: SwitchSession
    channel: Channel | None = None
    ports: dict[int, Port] = field(default_factory=dict)
    missing_ports: tuple[int, ...] = ()
    told_refusal: str = ""  # in the journal, as not ended yet
    told_revision: int = 0  # in the journal, as confirmed
    settings: SwitchSettings = field(default_factory=SwitchSettings)
    was_silent: bool = False  # and the journal says so
    unread: SwitchRead | None = None  # what it holds, not yet compared with what it must hold

    @property
    def is_reading(self) -> bool:
        """Return whether its ports are about to be known."""
        return self.channel is not None and self.session.phase is Phase.READING and self.unread is None

    @property
    def name(self) -> str:
        return self.session.name

    @property
    def is_in_step(self) -> bool:
        return self.channel is not None and self.session.phase is Phase.IN_STEP

    @property
    def is_confirmed(self) -> bool:
        """Return whether the switch holds now what it should hold."""
        return self.channel is not None and self.session.is_confirmed

    @property
    def silence(self) -> str:
        """Return in words for how long the switch has not answered; empty: it answers."""
        seconds = self.session.watch.silent_s
        return f"no answer for {seconds:.0f} s" if seconds else ""

    @property
    def is_busy(self) -> bool:
        """Return whether it is connected, and more is to come without a further change."""
        if self.channel is None:
            return False
        session = self.session
        is_at_rest = session.phase is Phase.IN_STEP or session.is_drift_left
        return not is_at_rest or not session.overlay.is_settled or session.watch.awaits_groups

    @property
    def ports_up(self) -> set[int]:
        return {port.number for port in self.ports.values() if not port.is_down}
