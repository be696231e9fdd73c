"""The connections that the switches of this machine know: what `ovs-appctl dpctl/dump-conntrack -m` prints.

OpenFlow has no message that lists connections, so a switch on another machine cannot be asked.
"""

import subprocess

_TIMEOUT_S = 10


class ConntrackError(Exception):
    """No switch of this machine tells its connections; the text says why, and what to do."""


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
        raise ConntrackError(f"ovs-appctl: {error}; remedy: run the controller beside the switch") from error
    if done.returncode:
        *_, reason = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]  # after its log
        raise ConntrackError(f"{reason}; remedy: name ovs-vswitchd's control socket (POSTERN_SWITCH_CONTROL)")
    return done.stdout
