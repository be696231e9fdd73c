"""Runs that share the lab tests leave none out."""

import sys
from pathlib import Path

import pytest

from tests.setup.scripts import CALM, REPOSITORY, run

pytestmark = pytest.mark.programs


def test_files_of_one_name_in_two_directories_are_both_run_and_none_is_run_twice(tmp_path: Path) -> None:
    (tmp_path / "claims").mkdir()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "test_same.py").write_text("def test_it() -> None: ...\n", encoding="utf-8")
    shared = ["-p", "tests.sharing", f"--claims={tmp_path / 'claims'}", f"--rootdir={tmp_path}"]
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", *shared, str(tmp_path)]
    environment = CALM | {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    first = run(*command, environment=environment, cwd=tmp_path)
    second = run(*command, environment=environment, cwd=tmp_path)
    assert "2 passed" in first.stdout
    assert "passed" not in second.stdout
