"""Runs the set-up's scripts, or functions out of them, as a shell of somebody else would."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SETUP = REPOSITORY / "deploy" / "setup"
CALM = {"PATH": os.defpath, "HOME": "/root", "TERM": "dumb"}


def run(
    *command: str | Path, environment: Mapping[str, str] | None = None, cwd: Path | str = REPOSITORY
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        env=dict(CALM if environment is None else environment),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def call(script: str, *files: str, environment: Mapping[str, str] | None = None) -> str:
    """Return what a few lines of bash print that use the set-up's functions, standard error included."""
    sources = "\n".join(f"source '{SETUP / file}'" for file in ("common.sh", *files))
    done = run("/bin/bash", "-c", f"exec 2>&1\n{sources}\n{script}", environment=environment)
    return done.stdout
