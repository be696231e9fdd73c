"""Every event is declared once, and whatever the code writes fits its declaration."""

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from cli.docs import CATALOGUES
from common.journal.check import JournalError, problem_of
from common.journal.events import COMMON_FIELDS, REASON, Event, FieldKind, info, integer
from common.journal.journal import Journal
from tests.journals import Pages, read_journal

ROOT = Path(__file__).parents[2]
PACKAGES = ("apps", "controller", "services")
# They take facts as they are; what else takes an event adds some of its own.
_TAKES_ALL_FACTS = {"write", "report", "_report"}


class Sample(Event):
    """Events of a test."""

    THING_HAPPENED = info("ThingHappened", "A thing happened.", integer("count", "how many"), REASON.optional)


def files() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def events_in(tree: ast.Module) -> dict[str, type[Event]]:
    """Return the catalogues that a file imports, by the names that it gives them."""
    found: dict[str, type[Event]] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        for alias in node.names:
            if alias.name.endswith("Event") and node.module.rpartition(".")[2] in ("events", "journal"):
                catalogue = getattr(importlib.import_module(node.module), alias.name)
                found[alias.asname or alias.name] = catalogue
    return found


@cache
def uses() -> tuple[tuple[str, ast.Call, Event], ...]:
    """Return each call whose first argument is an event, and where it is."""
    found = []
    for file in files():
        tree = ast.parse(file.read_text(encoding="utf-8"))
        catalogues = events_in(tree)
        for node in ast.walk(tree):
            match node:
                case ast.Call(args=[ast.Attribute(ast.Name(name), member), *_]) if name in catalogues:
                    place = f"{file.relative_to(ROOT)}:{node.lineno}"
                    found.append((place, node, catalogues[name][member]))
    return tuple(found)


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def named_in(call: ast.Call) -> list[str]:
    """Return the fields that a call names: by keywords, or in a mapping beside the event."""
    keys = [key for each in call.args if isinstance(each, ast.Dict) for key in each.keys]
    named = [key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return [*named, *(keyword.arg for keyword in call.keywords if keyword.arg)]


def test_no_call_names_a_field_that_its_event_does_not_have() -> None:
    wrong = [
        f"{place}: {event} has no field {name}"
        for place, call, event in uses()
        for name in named_in(call)
        if name not in {field.name for field in event.kind.fields}
    ]
    assert len(uses()) > 80
    assert wrong == []


def test_a_call_that_gives_all_facts_leaves_no_required_field_out() -> None:
    wrong = [
        f"{place}: {event} needs {field.name}"
        for place, call, event in uses()
        if name_of(call) in _TAKES_ALL_FACTS and len(call.args) == 1
        if all(keyword.arg for keyword in call.keywords)
        for field in event.kind.fields
        if field.is_required and field.name not in {keyword.arg for keyword in call.keywords}
    ]
    assert wrong == []


def test_the_page_has_every_catalogue_of_the_code() -> None:
    declared = {
        node.name
        for file in (*files(), *(ROOT / "common").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        if any(isinstance(base, ast.Name) and base.id == "Event" for base in node.bases)
    }
    assert declared == {catalogue.__name__ for catalogue in CATALOGUES}


def test_an_event_is_declared_once() -> None:
    names = Counter(str(event) for catalogue in CATALOGUES for event in catalogue)
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_an_event_and_its_constant_have_one_name(catalogue: type[Event]) -> None:
    """The name is words in CamelCase: `LoginTried` is `LOGIN_TRIED` in the code."""
    for event in catalogue:
        assert re.fullmatch(r"(?:[A-Z][a-z0-9]+)+", str(event)), event
        assert str(event).upper() == event.name.replace("_", "")


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_an_event_has_a_meaning_and_no_field_twice(catalogue: type[Event]) -> None:
    for event in catalogue:
        names = [field.name for field in event.kind.fields]
        assert event.kind.meaning.endswith("."), event
        assert len(set(names)) == len(names), event
        assert not set(names) & set(COMMON_FIELDS), event


def test_every_event_is_written_somewhere() -> None:
    text = "\n".join(
        file.read_text(encoding="utf-8") for file in (*files(), *(ROOT / "common").rglob("*.py"))
    )
    unused = [
        f"{catalogue.__name__}.{event.name}"
        for catalogue in CATALOGUES
        for event in catalogue
        if f"Event.{event.name}" not in text and f"JournalEvent.{event.name}" not in text
    ]
    assert unused == []


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"count": 1}, ""),
        ({"count": 1, "reason": "x"}, ""),
        ({"count": 1, "reason": None}, ""),
        ({}, "ThingHappened: missing fields: count"),
        ({"count": 1, "why": "x"}, "ThingHappened: unknown fields: why"),
        ({"count": True}, "ThingHappened: wrong types: count (bool instead of integer)"),
        ({"count": None}, "ThingHappened: wrong types: count (NoneType instead of integer)"),
    ],
)
def test_facts_that_do_not_fit_are_named(facts: dict[str, object], problem: str) -> None:
    assert problem_of(Sample.THING_HAPPENED, facts) == problem


@pytest.mark.parametrize("kind", FieldKind)
def test_only_a_flag_may_be_true(kind: FieldKind) -> None:
    assert kind.fits(True) is (kind is FieldKind.FLAG)


def test_a_wrong_line_raises_and_is_in_the_journal(tmp_path: Path) -> None:
    pages = Pages()
    with pytest.raises(JournalError, match="missing fields: count"):
        Journal(pages, "test", "one").write(Sample.THING_HAPPENED)
    (tmp_path / "log").write_text(pages.text, encoding="utf-8")
    with pytest.raises(AssertionError, match="missing fields: count"):
        read_journal(tmp_path / "log")


def test_facts_that_a_session_shares_count_for_each_of_its_events() -> None:
    pages = Pages()
    journal = Journal(pages, "test", "one")
    journal.write(Sample.THING_HAPPENED, journal.about(count=3))
    assert '"count": 3}' in pages.text
