"""Files that are too large, or built to keep the parser busy, are refused soon and with few words."""

from pathlib import Path

import pytest

from common.config.errors import MOST_ERRORS, ConfigError, ConfigErrors
from controller.policy.grammar import POLICY_FILE
from controller.policy.parse import parse_policy, read_policy

MAX_BYTES = POLICY_FILE.limits.size_bytes
MINIMAL = (Path(__file__).parents[2] / "policies" / "minimal.yaml").read_text(encoding="utf-8")


def refusal(text: str) -> tuple[ConfigError, ...]:
    with pytest.raises(ConfigErrors) as caught:
        parse_policy(text, "policy.yaml")
    return caught.value.errors


@pytest.mark.parametrize("comment", ["# ", "#  "], ids=["odd", "even"])
def test_a_file_that_is_too_large_is_refused_and_not_cut_off(tmp_path: Path, comment: str) -> None:
    """It has fewer characters than bytes, and the limit is between two of them, or inside one."""
    file = tmp_path / "large.yaml"
    file.write_text(MINIMAL + comment + "ö" * (MAX_BYTES // 2), "utf-8")
    with pytest.raises(ConfigErrors, match=f"file is larger than {MAX_BYTES} bytes"):
        read_policy(file)


def test_a_text_that_is_too_large_is_measured_in_bytes() -> None:
    (error,) = refusal(MINIMAL + "# " + "ö" * (MAX_BYTES // 2))
    assert error.message == f"file is larger than {MAX_BYTES} bytes"


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_text(MINIMAL + "#" * (MAX_BYTES - len(MINIMAL)), "utf-8")
    assert read_policy(file).tenants


def test_half_a_character_in_a_text_that_came_as_json_is_refused_with_its_place() -> None:
    (error,) = refusal("postern: 1\nswitches: \ud800")
    assert (error.place.line, error.place.column) == (2, 11)
    assert error.message == r'"\ud800" is half of a surrogate pair'


def test_no_more_mistakes_are_listed_than_anybody_mends_at_once() -> None:
    assert len(refusal("\n".join(f"key{number}: 1" for number in range(5_000)))) == MOST_ERRORS


def test_the_same_holds_of_mistakes_found_before_the_grammar_is_looked_at() -> None:
    assert len(refusal("a: 1\n" * 5_000)) == MOST_ERRORS


@pytest.mark.timeout(20)
def test_a_list_of_many_addresses_is_read_without_comparing_each_with_each() -> None:
    addresses = [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}" for number in range(1, 50_000)]
    policy = parse_policy(
        MINIMAL.replace("203.0.113.0/26", "10.0.0.0/8").replace("203.0.113.10", ", ".join(addresses)), "p"
    )
    assert policy.tenants[0].mail is not None
    assert len(policy.tenants[0].mail.servers) == len(addresses)


@pytest.mark.timeout(20)
def test_a_server_outside_many_prefixes_is_refused_in_one_line() -> None:
    prefixes = ", ".join(f"10.{number >> 8}.{number & 255}.0/24" for number in range(10_000))
    servers = ", ".join(f"11.0.{number >> 8}.{number & 255}" for number in range(500))
    errors = refusal(MINIMAL.replace("203.0.113.0/26", prefixes).replace("203.0.113.10", servers))
    assert len(errors) == 500
    assert errors[0].message.endswith("10.0.11.0/24 and 9988 more)")


@pytest.mark.timeout(20)
def test_unknown_switches_among_many_known_ones_are_refused_in_one_line_each() -> None:
    switches = "".join(f"  a{number}: {{dpid: {number + 2}}}\n" for number in range(3_000))
    uplinks = "".join(
        f"  b{number}: {{at: z{number}:1, mac: 02:ab:00:00:{number >> 8:02x}:{number & 255:02x}, "
        "edge: [100.64.0.1]}\n"
        for number in range(500)
    )
    text = MINIMAL.replace("uplinks:\n", f"{switches}uplinks:\n{uplinks}")
    errors = [error for error in refusal(text) if error.key.startswith("uplinks.")]
    assert len(errors) == 500
    assert all("and 2989 more" in error.remedy and len(str(error)) < 300 for error in errors)


def test_an_address_inside_one_of_two_overlapping_prefixes_is_not_called_outside() -> None:
    (error,) = refusal(
        MINIMAL.replace("203.0.113.0/26", "203.0.113.0/24, 203.0.113.0/28").replace(
            "203.0.113.10", "203.0.113.77"
        )
    )
    assert error.message.startswith("overlaps")
