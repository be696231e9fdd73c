"""The demo's output: plain words, calm layout, colours only on a terminal."""

from collections.abc import Sequence
from textwrap import indent

from common.terminal import paint

OK, FAILED = "ok", "FAILED"


def say(text: str = "") -> None:
    print(text, flush=True)


def heading(text: str) -> None:
    say()
    say(paint(text, "strong"))


def fact(label: str, text: str) -> None:
    """Print a labelled fact; further lines of the text are indented below its first."""
    first, *others = text.splitlines() or [""]
    say(f"     {paint(f'{label:<10}', 'dim')} {first}")
    if others:
        say(indent("\n".join(others), " " * 16))


def mark(is_good: bool) -> str:
    return paint(OK, "good") if is_good else paint(FAILED, "bad")


def judgement(complaints: Sequence[str]) -> None:
    for complaint in complaints:
        say(f"     {mark(False)}  {complaint}")
    if not complaints:
        say(f"     {mark(True)}")


def table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns; the first row is the head, and a result in the last column gets its colour."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False))
        last = row[-1]
        style = {OK: "good", FAILED: "bad"}.get(last, "dim")
        say(f"  {paint(line, 'dim') if number == 0 else line}  {paint(last, style)}")
