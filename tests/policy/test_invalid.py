"""Every file of policies/invalid is refused, with exactly the mistakes that it says it has."""

import re
from pathlib import Path

import pytest

from common.config.errors import ConfigErrors
from controller.policy.parse import read_policy

DIRECTORY = Path(__file__).parents[2] / "policies" / "invalid"
FILES = sorted(DIRECTORY.glob("*.yaml"))
_EXPECTED = re.compile(r"# expect: (\d+):(\d+): (.*?): (.*)")


def expected(file: Path) -> list[tuple[int, int, str, str]]:
    found = map(_EXPECTED.fullmatch, file.read_text(encoding="utf-8").splitlines())
    return [(int(each[1]), int(each[2]), each[3], each[4]) for each in found if each]


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 30


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_mistake_is_reported_once_with_place_and_remedy(file: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read_policy(file)
    errors = caught.value.errors
    assert [(e.place.line, e.place.column, e.key, e.message) for e in errors] == expected(file)
    assert all(error.remedy and error.place.file == str(file) for error in errors)
