"""What the API and the shims hand to the runtime can be logged and forwarded: it is a command or an event."""

import ast
import importlib
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from controller.runtime.commands.base import Command
from controller.runtime.events import RuntimeEvent

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "controller" / "api").glob("*.py"), *(ROOT / "apps").glob("*.py")])
_HAND_OVER = {"ask", "asker", "_asker", "as_controller", "_ask_as_controller", "put", "handle", "on"}
_ANNOTATIONS = ("Command[", "Asked[", "RuntimeEvent")
_ENVELOPES = {"Asked", "_Pending"}  # their first argument is the command
_IMPORTS = """
from controller.runtime import Asked
from controller.runtime.commands.members import ListPools
from controller.runtime.events import TimePassed
"""


class Handed:
    """Finds what one file hands to the runtime, and what of it is neither a command nor an event."""

    def __init__(self, source: str) -> None:
        self._tree = ast.parse(source)
        self._classes = dict(_imported(self._tree))

    def arguments(self) -> Iterator[tuple[ast.expr, Mapping[str, list[ast.expr]]]]:
        """Yield the first argument of each call that hands over, with the values of variables there."""
        functions = [node for node in ast.walk(self._tree) if isinstance(node, ast.FunctionDef)]
        values = {name: value for each in functions for name, value in _values(each).items() if "." in name}
        for function in functions:
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and _hands_over(call.func):
                    handed = [*call.args, *(keyword.value for keyword in call.keywords)][:1]
                    yield from ((argument, {**values, **_values(function)}) for argument in handed)

    def others(self) -> list[str]:
        return [ast.unparse(each) for each, values in self.arguments() if not self._is_known(each, values)]

    def _is_known(self, value: ast.expr, values: Mapping[str, list[ast.expr]]) -> bool:
        match value:
            case ast.Call(func=ast.Name(name), args=[first, *_]) if name in _ENVELOPES:
                return self._is_known(first, values)
            case ast.Call(func=ast.Name(name)):
                return name in self._classes
            case ast.IfExp(body=one, orelse=other):
                return self._is_known(one, values) and self._is_known(other, values)
            case ast.Constant(str(annotation)):
                return annotation.startswith(_ANNOTATIONS)
            case ast.Name() | ast.Attribute():
                found = values.get(ast.unparse(value), [])
                return bool(found) and all(self._is_known(each, values) for each in found)
        return False


def _imported(tree: ast.Module) -> Iterator[tuple[str, type]]:
    """Yield the classes of commands and events that a file imports."""
    kinds = (Command, *typing.get_args(RuntimeEvent))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("controller.runtime"):
            for each in node.names:
                found = getattr(importlib.import_module(node.module or ""), each.name)
                if isinstance(found, type) and issubclass(found, kinds):
                    yield each.asname or each.name, found


def _values(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    """Return the values assigned to each variable; for a parameter, its annotation as a text."""
    values: dict[str, list[ast.expr]] = {}
    arguments = function.args
    for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if each.annotation:
            values[each.arg] = [ast.Constant(ast.unparse(each.annotation))]
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                value = node.value
                own = values.get(value.id) if isinstance(value, ast.Name) else None
                values.setdefault(ast.unparse(target), []).extend(own or [value])
    return values


def _hands_over(function: ast.expr) -> bool:
    """Return whether a call reaches the runtime: `ask(...)` or `self._caller(request)(...)`, for example."""
    match function:
        case ast.Call(func=ast.Attribute(attr="_caller")):
            return True
        case ast.Name(name) | ast.Attribute(attr=name):
            return name in _HAND_OVER
    return False


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_only_commands_and_events_are_handed_to_the_runtime(file: Path) -> None:
    assert Handed(file.read_text(encoding="utf-8")).others() == []


def test_each_way_to_the_runtime_is_seen() -> None:
    handed = [argument for file in FILES for argument in Handed(file.read_text(encoding="utf-8")).arguments()]
    assert len(handed) > 40


@pytest.mark.parametrize(
    "line",
    [
        "ask(lambda runtime: runtime.accepted)",
        "ask(partial(Runtime.on_counts, counts=counts))",
        "self._loop.put(self._runtime.core.on_tick)",
        "self._caller(request)(self._sessions.look)",
        "self._asker(Asked(self._look, CONTROLLER, why, now))",
        "work = self._look; ask(work)",
        "work = ListPools() if quick else self._look; ask(work)",
        "ask(given)",
        "ask(ListPools)",
    ],
)
def test_what_is_neither_a_command_nor_an_event_is_found(line: str) -> None:
    assert Handed(f"{_IMPORTS}\ndef work(self, given: Callable[[], None]):\n    {line}").others()


@pytest.mark.parametrize(
    "line",
    [
        "ask(ListPools())",
        "self._asker(Asked(ListPools(), CONTROLLER, why, now))",
        "command = ListPools(); ask(command)",
        "ask(given)",
        "self._loop.put(TimePassed())",
    ],
)
def test_a_command_or_an_event_is_accepted(line: str) -> None:
    assert not Handed(f"{_IMPORTS}\ndef work(self, given: Command[R]):\n    {line}").others()
