"""The JSON Schema for editors says what the checker says."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from cli.documents import KINDS, load_kind
from cli.main import main
from common.config.schema import build_schema
from controller.policy.grammar import POLICY_FILE

POLICIES = Path(__file__).parents[2] / "policies"


def complaints(data: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(build_schema(POLICY_FILE))
    return [error.message for error in validator.iter_errors(data)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_that_we_ship_is_fresh(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", kind]) == 0
    printed = json.loads(capsys.readouterr().out)
    shipped = json.loads((POLICIES.parent / load_kind(kind).schema).read_text(encoding="utf-8"))
    assert printed == shipped, "stale; remedy: make docs"


def test_the_schema_of_a_policy_is_printed_when_no_kind_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == build_schema(POLICY_FILE)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(build_schema(POLICY_FILE))


@pytest.mark.parametrize("file", sorted(POLICIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_good_policy_fits_the_schema(file: Path) -> None:
    assert complaints(yaml.safe_load(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "name",
    [
        "unknown-key",
        "missing-key",
        "unknown-mode",
        "weight-outside",
        "empty-list",
        "netmask",
        "address-with-zone",
        "text-for-a-mapping",
        "rule-without-then",
        "neither-true-nor-false",
        "link-without-an-end",
        "unknown-on-empty",
        "limit-outside",
        "health-word",
        "health-key",
        "probe-without-a-port",
        "time-without-unit",
    ],
)
def test_what_the_checker_refuses_the_schema_refuses(name: str) -> None:
    assert complaints(yaml.safe_load((POLICIES / "invalid" / f"{name}.yaml").read_text(encoding="utf-8")))
