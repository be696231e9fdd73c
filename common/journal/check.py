"""Compares a line with its event's declaration, if an environment variable asks for it, as in tests."""

import os
from collections.abc import Mapping

from common.journal.events import COMMON_FIELDS, Event

VARIABLE = "POSTERN_CHECK_JOURNAL"


class JournalError(Exception):
    """A program wrote a line that does not match the catalogue of events."""


def is_wanted() -> bool:
    return os.environ.get(VARIABLE, "") == "1"


def problem_of(event: Event, facts: Mapping[str, object]) -> str:
    """Return what is wrong with the facts of an event, or nothing."""
    declared = {field.name: field for field in event.kind.fields}
    unknown = [name for name in facts if name not in declared or name in COMMON_FIELDS]
    missing = [name for name, field in declared.items() if field.is_required and name not in facts]
    unfit = [
        f"{name} ({type(fact).__name__} instead of {declared[name].kind.word})"
        for name, fact in facts.items()
        if name in declared and not declared[name].fits(fact)
    ]
    found = {"unknown fields": unknown, "missing fields": missing, "wrong types": unfit}
    problems = [f"{what}: {', '.join(names)}" for what, names in found.items() if names]
    return f"{event}: {'; '.join(problems)}" if problems else ""
