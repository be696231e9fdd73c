"""Any bytes of a file, and any text of a JSON body, are a policy or mistakes; more in tests/common."""

from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from common.config.errors import ConfigErrors
from controller.policy.parse import parse_policy, read_policy
from tests.examples import examples


@hypothesis.given(st.binary(max_size=400))
@examples(
    100,
    suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture,
        hypothesis.HealthCheck.too_slow,
    ],
)
def test_any_bytes_in_a_file_are_survived(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "fuzz.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigErrors) as caught:
        read_policy(file)
    assert all(error.remedy and error.place.line > 0 for error in caught.value.errors)


@hypothesis.given(st.text(st.characters(categories=["Cs", "Cc", "Zl", "Zp", "Lu"]), max_size=50))
@examples(100)
def test_any_text_of_a_json_body_is_survived_and_shown_in_plain_letters(text: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse_policy(f'"{text}": 1\n"{text}": 2', "body.yaml")
    assert all(str(error).isprintable() for error in caught.value.errors)
