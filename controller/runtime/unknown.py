"""Whether it is known now what a switch holds: the same answer for drift, status and proofs."""

from dataclasses import dataclass

from controller.runtime.switch_record import SwitchRecord
from controller.sync.watch import Monitoring

_AWAY = (
    "on its host, check that ovs-vswitchd runs, and that the bridge leads here "
    "(ovs-vsctl get-controller BRIDGE)"
)
_HANGS = "on its host, check whether ovs-vswitchd hangs or is overloaded (top, ovs-vswitchd.log)"
_WAIT = "ask again in a few seconds"
_TOO_MANY = "find and stop the program that adds them; then postern apply removes them"


@dataclass(frozen=True, slots=True)
class UnknownState:
    """Why it is not known now what a switch holds. `is_stale`: what it held a while ago is known."""

    reason: str
    remedy: str
    is_stale: bool = False

    def __str__(self) -> str:
        return f"{self.reason}: what it holds is not known; remedy: {self.remedy}"


def unknown_state(now: float, record: SwitchRecord) -> UnknownState | None:
    """Return why it is not known what a switch holds; None: it is known."""
    session, watch = record.session, record.session.watch
    is_stale = session.is_read and not session.strays.is_cut
    if record.channel is None:
        return UnknownState("not connected", _AWAY)
    if record.silence:
        return UnknownState(record.silence, _HANGS, is_stale)
    if not session.is_read:
        return UnknownState("connected, but not read yet", _WAIT)
    if session.strays.is_cut:
        return UnknownState("more foreign flows than are kept", _TOO_MANY)
    if watch.monitoring is Monitoring.PAUSED:
        return UnknownState("it keeps reports of changes back, since it has too many", _WAIT, is_stale)
    if watch.is_overdue:
        age = f"last read {watch.age_s(now):.0f} s ago instead of every {watch.every_s:.0f} s"
        return UnknownState(f"{age}, and it does not report changes", _HANGS, is_stale=True)
    return None
