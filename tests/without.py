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
    """Have what tests start by `sys.executable`, and from beside it, lack a feature of the kernel."""
    home = Path(sys.executable).parent
    beside = directory / f"without-{feature}"
    beside.mkdir()
    for name in (Path(sys.executable).name, "ryu-manager"):
        program = beside / name
        words = shlex.join((str(WITHOUT), feature, str(home / name)))
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(beside / Path(sys.executable).name))
