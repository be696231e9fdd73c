"""How the demo speaks: plain words, calm layout, colours only on a terminal."""

from collections.abc import Sequence
from textwrap import indent

from common.terminal import paint


def say(text: str = "") -> None:
    print(text, flush=True)


def heading(text: str) -> None:
    say()
    say(paint(text, "strong"))


def fact(label: str, text: str) -> None:
    """Print a labelled fact; further lines of the text stand below its first."""
    first, *others = text.splitlines() or [""]
    say(f"     {paint(f'{label:<10}', 'dim')} {first}")
    if others:
        say(indent("\n".join(others), " " * 16))


def judgement(complaints: Sequence[str]) -> None:
    for complaint in complaints:
        say(f"     {paint('FAILED', 'bad')}  {complaint}")
    if not complaints:
        say(f"     {paint('ok', 'good')}")


def table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns; the first row is the head, and a last cell `yes` or `NO` gets its colour."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False))
        last = row[-1]
        style = "good" if last == "yes" else "bad" if last == "NO" else "dim"
        say(f"  {paint(line, 'dim') if number == 0 else line}  {paint(last, style)}")
