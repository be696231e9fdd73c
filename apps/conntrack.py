"""The connections that this machine's switches know, from `ovs-appctl dpctl/dump-conntrack -m`.

OpenFlow has no message that lists connections, so a switch on another machine cannot be asked.
"""

import subprocess

from common.journal.journal import Journal
from controller.telemetry.events import ControllerEvent

_TIMEOUT_S = 10


class ConntrackError(Exception):
    """No switch of this machine lists its connections; the text says why, and what to do."""


class SessionList:
    """Returns a line for each connection, or None; the journal gets each new reason of a failure once."""

    def __init__(self, control: str, journal: Journal) -> None:
        self._control, self._journal = control, journal
        self._last_reason = ""

    def __call__(self) -> list[str] | None:
        try:
            return dump_connections(self._control)
        except ConntrackError as error:
            if str(error) != self._last_reason:
                self._last_reason = str(error)
                self._journal.write(ControllerEvent.SESSIONS_NOT_COUNTED, reason=str(error))
            return None


def dump_connections(control: str) -> list[str]:
    """Return a line for each connection. `control` is ovs-vswitchd's control socket; empty: its default."""
    datapaths = _ask(control, "dpctl/dump-dps").split()
    return [
        line for name in datapaths for line in _ask(control, "dpctl/dump-conntrack", "-m", name).splitlines()
    ]


def _ask(control: str, *words: str) -> str:
    target = ["-t", control] if control else []
    command = ["ovs-appctl", *target, f"--timeout={_TIMEOUT_S}", *words]
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=_TIMEOUT_S + 5
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConntrackError(
            f"ovs-appctl: {error}; remedy: run the controller on the switch's machine"
        ) from error
    if done.returncode:
        *_, reason = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]  # after its log
        raise ConntrackError(f"{reason}; remedy: name ovs-vswitchd's control socket (POSTERN_SWITCH_CONTROL)")
    return done.stdout
