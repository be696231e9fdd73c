"""`postern check`: one line for each mistake, and an exit code to go by."""

import json
from pathlib import Path

import pytest

from cli.documents import KINDS, guess_kind, load_kind
from cli.main import main

POLICIES = Path(__file__).parents[2] / "policies"


def test_a_good_file_is_called_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(POLICIES / "demo.yaml")]) == 0
    assert "valid. 1 switch, 1 uplink, 2 tenants, 5 pools, 8 pool members." in capsys.readouterr().out


def test_all_mistakes_are_printed_with_place_key_and_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    file = POLICIES / "invalid" / "many-mistakes.yaml"
    assert main(["check", str(file)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == f"{file}: 5 errors"
    assert all(line.startswith(f"{file}:") and "; remedy: " in line for line in lines[:-1])
    assert len(lines) == 6


def test_editors_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", str(POLICIES / "invalid" / "bad-mac.yaml")]) == 1
    (mistake,) = json.loads(capsys.readouterr().out)
    assert mistake["key"] == "uplinks.backbone.mac"
    assert mistake["line"] == 6


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err


def test_a_file_that_is_not_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bytes.yaml").write_bytes(b"postern: \xff\xfe\x00")
    assert main(["check", str(tmp_path / "bytes.yaml")]) == 1
    assert "remedy" in capsys.readouterr().err


def test_one_bad_file_among_good_ones_fails_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(POLICIES / "demo.yaml"), str(POLICIES / "invalid" / "empty.yaml")]) == 1
    assert ": valid. " in capsys.readouterr().out


def test_a_persona_and_settings_of_sensors_are_known_by_their_first_key(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [
        POLICIES / "personas" / "debian-12" / "acme.yaml",
        POLICIES.parent / "deploy/sensors/sensors.yaml",
    ]
    assert main(["check", *map(str, files)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{files[0]}: valid. Persona of acme: 2 hosts, 7 services.",
        f"{files[1]}: valid. 3 feeds, 1 CrowdSec API, 1 Suricata.",
    ]


@pytest.mark.parametrize(
    ("kind", "text", "keys"),
    [
        (
            "persona",
            "postern-persona: 1\ntenant: A\nhosts: {x: {addresses: y}}",
            ["tenant", "hosts.x.addresses"],
        ),
        ("sensors", "postern-sensors: 1\nfeedz: {}\ntenants: ./x", ["feedz", "tenants"]),
        ("sensors", "{'postern-sensors': 2}", ["postern-sensors"]),
        ("policy", "a: 1", ["a", "postern", "switches", "uplinks"]),
    ],
)
def test_all_mistakes_of_any_kind_of_file_are_printed(
    kind: str, text: str, keys: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file.yaml").write_text(text, encoding="utf-8")
    for named in ([], ["--kind", kind]):
        assert main(["check", "--json", *named, str(tmp_path / "file.yaml")]) == 1
        assert [mistake["key"] for mistake in json.loads(capsys.readouterr().out)] == keys


def test_a_file_of_another_kind_than_was_named_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--kind", "persona", str(POLICIES / "minimal.yaml")]) == 1
    assert "postern-persona: is missing" in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_key_of_a_kind_of_file_says_which_it_is(kind: str) -> None:
    assert guess_kind(f"# comment\n{load_kind(kind).document.marker}: 1\n") == kind
