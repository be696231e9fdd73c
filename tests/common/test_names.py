"""A class name is used once within a layer, so that it says which class is meant."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("apps", "cli", "common", "controller", "lab", "services")


@pytest.mark.parametrize("layer", LAYERS)
def test_a_class_name_is_used_once(layer: str) -> None:
    files_by_name: dict[str, list[str]] = defaultdict(list)
    for file in sorted((ROOT / layer).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                files_by_name[node.name].append(str(file.relative_to(ROOT)))
    assert {name: files for name, files in files_by_name.items() if len(files) > 1} == {}
