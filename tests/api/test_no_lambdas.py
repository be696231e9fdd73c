"""What the API and the shims hand to the runtime can be logged and forwarded: it is never a function."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "controller" / "api").glob("*.py"), *(ROOT / "apps").glob("*.py")])
_HANDS_OVER = {"ask", "asker", "_ask", "_asker", "as_controller", "put", "_ask_as_controller", "handle", "on"}


def functions_handed_over(source: str) -> Iterator[ast.expr]:
    """Yield lambdas and partials among the arguments of calls that hand work to the runtime."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _name(node.func) in _HANDS_OVER:
            arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
            parts = (part for argument in arguments for part in ast.walk(argument))
            yield from (part for part in parts if isinstance(part, ast.expr) and _is_function(part))


def _is_function(part: ast.expr) -> bool:
    return isinstance(part, ast.Lambda) or (isinstance(part, ast.Call) and _name(part.func) == "partial")


def _name(function: ast.expr) -> str:
    match function:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_no_function_is_handed_to_the_runtime(file: Path) -> None:
    assert list(functions_handed_over(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "self._ask(lambda runtime: runtime.accepted)",
        "ask(partial(Runtime.on_counts, counts=counts))",
        "queue.put((lambda runtime: runtime.on_tick(now), None))",
    ],
)
def test_a_function_that_is_handed_over_is_found(source: str) -> None:
    assert list(functions_handed_over(source))
