"""The reason of a change: what may be one, and how it travels in a header."""

import pytest

from common.reason import ReasonError, check_reason, decode_reason, encode_reason

GOOD = ["", "spam run, ticket 4711", "größe 100 % + мир 漢字 😀", "a" * 200, "😀" * 200, '"; rm -rf / #']
HOSTILE = {
    "ANSI": "\x1b[31mred\x1b[0m",
    "right-to-left mark": "good\u202eevil",
    "newline": "one\ntwo",
    "carriage return": "one\rtwo",
    "NUL": "one\0two",
    "line separator": "one\u2028two",
    "not UTF-8": "gr\udcffe",
    "long": "x" * 10_000,
    "one too long": "é" * 201,
}
each_hostile = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
MALFORMED = {
    "cut off": "100%",
    "half a byte": "100%4",
    "no hexadecimal": "100%zz",
    "not UTF-8": "gr%FF%FEe",
    "raw bytes": "gr\xc3\xb6e",
    "overlong": "%C0%AF",
    "surrogate": "%ED%BF%BF",
    "ANSI": "%1B%5B31m",
    "newline": "one%0Atwo",
    "right-to-left mark": "%E2%80%AE",
    "raw control character": "one\x1btwo",
    "long": "x" * 10_000,
    "one too long": "%C3%A9" * 201,
}


@pytest.mark.parametrize("reason", GOOD)
def test_a_reason_survives_the_way_through_a_header(reason: str) -> None:
    value = encode_reason(reason)
    assert value.isascii() and value.isprintable()
    assert decode_reason(value) == reason


def test_blanks_around_a_reason_are_dropped() -> None:
    assert check_reason("  a test ") == decode_reason("%20a%20test ") == "a test"


@each_hostile
def test_a_hostile_reason_is_refused_with_a_remedy_and_not_quoted(text: str) -> None:
    with pytest.raises(ReasonError, match="; remedy: write ") as caught:
        check_reason(text)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 120


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_header_is_refused_with_a_remedy_and_not_quoted(value: str) -> None:
    with pytest.raises(ReasonError, match="; remedy: ") as caught:
        decode_reason(value)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 120
