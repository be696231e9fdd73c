"""How the doctor looks: runs programs that only read, and takes a missing one for an answer."""

import subprocess
from pathlib import Path

_TIMEOUT_S = 10


def output_of(*command: str) -> str | None:
    """Return what a program printed; None if it is not there, fails or hangs."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def content_of(path: str | Path) -> str | None:
    """Return a file's text; None if it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
