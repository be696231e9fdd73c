"""Runs a tool that the demo shows, and captures its output."""

import subprocess
import sys
from collections.abc import Sequence

from lab.processes import surroundings

_PATIENCE_S = 60.0


def run(
    command: Sequence[str], patience_s: float = _PATIENCE_S, must_succeed: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end.

    Raise `subprocess.TimeoutExpired` after `patience_s` seconds, and `subprocess.CalledProcessError` if it
    fails although `must_succeed` is set.
    """
    return subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=patience_s,
        env=surroundings(),
        check=must_succeed,
    )


def postern(*words: str) -> list[str]:
    """Return the command line of `postern` of this checkout."""
    return [sys.executable, "-P", "-m", "cli.main", *words]
