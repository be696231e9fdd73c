"""Files that are too large, or built to keep the parser busy, are refused soon and with few words."""

from pathlib import Path

import pytest

from controller.errors import PolicyError, PolicyErrors
from controller.policy.nodes import MAX_BYTES
from controller.policy.parse import parse_policy, read_policy

MINIMAL = (Path(__file__).parents[2] / "policies" / "minimal.yaml").read_text()


def refusal(text: str) -> tuple[PolicyError, ...]:
    with pytest.raises(PolicyErrors) as caught:
        parse_policy(text, "policy.yaml")
    return caught.value.errors


def test_a_file_that_is_too_large_is_refused_and_not_cut_off(tmp_path: Path) -> None:
    """Its last character begins before the limit and ends behind it; it has fewer characters than bytes."""
    comment = "# "
    file = tmp_path / "large.yaml"
    file.write_text(MINIMAL + comment + "ö" * ((MAX_BYTES - len(MINIMAL + comment)) // 2 + 1), "utf-8")
    with pytest.raises(PolicyErrors, match=f"file holds more than {MAX_BYTES} bytes"):
        read_policy(file)


def test_a_text_that_is_too_large_is_measured_in_bytes() -> None:
    (error,) = refusal(MINIMAL + "# " + "ö" * (MAX_BYTES // 2))
    assert error.message == f"file holds more than {MAX_BYTES} bytes"


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text(MINIMAL + "#" * (MAX_BYTES - len(MINIMAL)), "utf-8")
    assert read_policy(file).tenants


def test_half_a_character_in_a_text_that_came_as_json_is_refused_with_its_place() -> None:
    (error,) = refusal("postern: 1\nswitches: \ud800")
    assert (error.place.line, error.place.column) == (2, 11)
    assert error.message == r'"\ud800" is half a character'
