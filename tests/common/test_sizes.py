"""A function has at most 40 lines: what is longer has parts, and the parts have names."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_MOST_LINES = 40


@pytest.mark.parametrize("layer", ["apps", "benchmarks", "cli", "common", "controller", "lab", "services"])
def test_no_function_is_longer_than_a_reader_can_hold(layer: str) -> None:
    too_long = {
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}": lines
        for file in sorted((ROOT / layer).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > _MOST_LINES
    }
    assert too_long == {}
