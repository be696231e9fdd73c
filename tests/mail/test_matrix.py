"""The published matrix names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MATRIX = (ROOT / "docs" / "smtp-matrix.md").read_text(encoding="utf-8")


def test_every_test_that_the_matrix_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", MATRIX))
    sources = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    existing = set(re.findall(r"def (test_\w+)\(", sources))
    assert len(named) > 50
    assert named - existing == set()


def test_the_matrix_shows_each_case_that_must_hold_from_the_start() -> None:
    shown = {int(number) for number in re.findall(r"^\| (\d+) \|.*`test_", MATRIX, re.MULTILINE)}
    assert {*range(1, 25), *range(37, 47)} <= shown
