"""What the network will do with the policies that we ship, in words: read a difference as code."""

import os
from pathlib import Path

import pytest

from controller.compiler.compile import compile_policy
from controller.compiler.names import names_of
from controller.pipeline.show import Shower
from controller.policy.parse import read_policy
from tests.compiler.conftest import POLICIES

GOLDEN = Path(__file__).parent / "golden"


_TOO_LONG_TO_READ = {"leafspine"}


@pytest.mark.parametrize("name", sorted({file.stem for file in POLICIES.glob("*.yaml")} - _TOO_LONG_TO_READ))
def test_flows_are_as_the_golden_file_says(name: str) -> None:
    policy = read_policy(POLICIES / f"{name}.yaml")
    shower = Shower(names_of(policy))
    lines = []
    for switch, state in compile_policy(policy).items():
        lines += [f"switch {switch}", *shower.state(state), ""]
    text = "\n".join(lines)
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("POSTERN_WRITE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8"), "remedy: make golden, and read the difference"
