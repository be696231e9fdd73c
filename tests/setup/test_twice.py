"""`tests/twice`: what fails twice fails the run, and what fails once is named."""

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

TWICE = Path(__file__).resolve().parents[1] / "twice"
FAILS_ONCE = """
from pathlib import Path
def test_late():
    tried = Path(__file__).with_suffix(".tried")
    is_first = not tried.exists()
    tried.touch()
    assert not is_first
"""


def run(directory: Path, text: str) -> subprocess.CompletedProcess[str]:
    file = directory / "test_something.py"
    file.write_text(text)
    command = [TWICE, "-q", "-p", "no:randomly", file]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_what_works_the_second_time_is_named_and_passes(tmp_path: Path) -> None:
    done = run(tmp_path, f"{FAILS_ONCE}\ndef test_good(): pass\n")
    assert done.returncode == 0
    _, _, named = done.stdout.partition("UNSTEADY")
    assert "::test_late" in named
    assert "::test_good" not in named


def test_what_fails_twice_fails(tmp_path: Path) -> None:
    done = run(tmp_path, f"{FAILS_ONCE}\ndef test_bad(): assert 0\n")
    assert done.returncode == 1
    assert "UNSTEADY" not in done.stdout


def test_many_failures_are_not_tried_again(tmp_path: Path) -> None:
    done = run(tmp_path, "".join(f"def test_bad{n}(): assert 0\n" for n in range(6)))
    assert done.returncode == 1
    assert "second run" not in done.stdout


def test_what_cannot_even_be_loaded_fails_at_once(tmp_path: Path) -> None:
    done = run(tmp_path, "import nothing_of_that_name\n")
    assert done.returncode == 2
    assert "second run" not in done.stdout
