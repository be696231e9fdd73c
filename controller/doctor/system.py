"""How the doctor collects facts: it runs programs that only read; a missing program is also a fact."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

AS_ROOT = f"sudo {Path(sys.executable).parent / 'postern'} doctor"
_TIMEOUT_S = 10.0
# An ordinary user's PATH has no sbin on Debian; their output must be in English.
_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"))
_ENVIRONMENT = {"PATH": _PATH, "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Timed:
    """How long a program took, and whether it succeeded."""

    seconds: float
    has_succeeded: bool


def output_of(*command: str, within_s: float = _TIMEOUT_S) -> str | None:
    """Return a program's output; None if it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=within_s,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def timed(*command: str, within_s: float) -> Timed:
    began = time.monotonic()
    output = output_of(*command, within_s=within_s)
    return Timed(time.monotonic() - began, output is not None)


def content_of(path: str | Path) -> str | None:
    """Return a file's text; None if it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
