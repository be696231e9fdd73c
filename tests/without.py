"""Has programs of ours start on a machine that lacks something: see tests/fresh/without."""

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WITHOUT = ROOT / "tests" / "fresh" / "without"


def without(feature: str, program: Iterable[str]) -> tuple[str, ...]:
    return (str(WITHOUT), feature, *program)


def start_programs_without(feature: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what tests start by `sys.executable` lack a feature of the kernel."""
    program = directory / f"python-without-{feature}"
    program.write_text(
        f'#!/bin/sh\nexec {shlex.join(without(feature, (sys.executable,)))} "$@"\n', encoding="utf-8"
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
