"""No text crashes the parser, or keeps it busy: it returns a policy or says what is wrong."""

from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from common.config.errors import ConfigErrors
from controller.policy.parse import parse_policy, read_policy

LINES = (Path(__file__).parents[2] / "policies" / "demo.yaml").read_text(encoding="utf-8").splitlines()
_SCALARS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "~", "null", "[]", "{}", "*a", "&a", "!!int x", "0x", "1e9", "-1", "::", "0.0.0.0/0", "s1:0"]
    ),
)


def is_survived(text: str) -> bool:
    try:
        parse_policy(text, "fuzz.yaml")
    except ConfigErrors as errors:
        return bool(errors.errors) and all(error.remedy and error.place.line > 0 for error in errors.errors)
    return True


@hypothesis.given(st.text(max_size=400))
@hypothesis.settings(max_examples=200)
def test_any_text_is_survived(text: str) -> None:
    assert is_survived(text)


@hypothesis.given(st.binary(max_size=400))
@hypothesis.settings(
    max_examples=100,
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
@hypothesis.settings(max_examples=100)
def test_any_text_of_a_json_body_is_survived_and_shown_in_plain_letters(text: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse_policy(f'"{text}": 1\n"{text}": 2', "body.yaml")
    assert all(str(error).isprintable() for error in caught.value.errors)


@hypothesis.given(st.text(alphabet="abs1:-[]{}&*!|>%@`\"'#\n\t ,?~<=.0", max_size=200))
@hypothesis.settings(max_examples=300)
def test_any_heap_of_yamls_own_characters_is_survived(text: str) -> None:
    assert is_survived(text)


@st.composite
def mutilated(draw: st.DrawFn) -> str:
    """The demo's policy with some lines lost, doubled, swapped, or their values replaced."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        index = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(["lose", "double", "indent", "replace"])):
            case "lose" if len(lines) > 1:
                del lines[index]
            case "double":
                lines.insert(index, lines[index])
            case "indent":
                lines[index] = "  " + lines[index]
            case _:
                key, colon, _ = lines[index].partition(":")
                lines[index] = f"{key}{colon} {draw(_SCALARS)}"
    return "\n".join(lines)


@hypothesis.given(mutilated())
@hypothesis.settings(max_examples=200)
def test_a_mutilated_policy_is_survived(text: str) -> None:
    assert is_survived(text)


def _laughs() -> str:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    return "a0: &a0 [lol]\n" + "\n".join(levels)


@pytest.mark.parametrize(
    "text",
    [
        _laughs(),
        "[" * 10_000 + "]" * 10_000,
        "{a: " * 10_000,
        "- " * 10_000,
        "? " * 10_000,
        "postern: 1\n" * 10_000,
        "a: " + "9" * 100_000,
        "tenants: {" + ", ".join(f"t{n}: {{}}" for n in range(3_000)) + "}",
        "&a " * 5_000 + "x",
        "\0",
        "\ufeffpostern: 1",
        '"\\ud800"',
    ],
    ids=range(12),
)
@pytest.mark.timeout(20)
def test_a_bomb_is_refused_before_it_hurts(text: str) -> None:
    with pytest.raises(ConfigErrors):
        parse_policy(text, "bomb.yaml")
