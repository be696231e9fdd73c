"""Parses the bytes of a feed into prefixes: plain lists, JSON lines (Spamhaus DROP), CSV. Pure.

For any input, the result is prefixes and a count of unreadable lines. The guards judge
the result.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.base.settings import Network
from services.sensors.grammar import Format
from services.sensors.networks import parse_network, printable
from services.sensors.settings import Shape

_LONGEST_LINE = 4096
_MOST_LINES = 2_000_000


@dataclass(frozen=True, slots=True)
class Contents:
    note_by_network: dict[Network, str]
    unreadable: int
    sample: str  # of the unreadable lines
    promised: int | None = None  # number of entries that the feed itself announces

    @property
    def read(self) -> int:
        return len(self.note_by_network)


class _Collector:
    def __init__(self) -> None:
        self._notes: dict[Network, str] = {}
        self._unreadable = 0
        self._sample = ""
        self.promised: int | None = None

    def add(self, text: str, note: str, line: str) -> None:
        if (network := parse_network(text.strip())) is None:
            self.refuse(line)
        else:
            self._notes.setdefault(network, printable(note))

    def refuse(self, line: str) -> None:
        self._unreadable += 1
        self._sample = self._sample or printable(line)

    def contents(self) -> Contents:
        return Contents(self._notes, self._unreadable, self._sample, self.promised)


def parse_feed(body: bytes, shape: Shape) -> Contents:
    """Parse a feed in any of its formats. Never fails."""
    found = _Collector()
    text = body.decode("utf-8-sig", errors="replace")
    lines = _bounded(text, found)
    match shape.format:
        case Format.LIST:
            _read_list(lines, found)
        case Format.JSON_LINES:
            _read_json_lines(lines, shape.key, found)
        case Format.CSV:
            _read_csv(lines, shape, found)
    return found.contents()


def _bounded(text: str, found: _Collector) -> Iterator[str]:
    for number, line in enumerate(text.splitlines()):
        if number >= _MOST_LINES or len(line) > _LONGEST_LINE:
            found.refuse(line)
        else:
            yield line


def _read_list(lines: Iterable[str], found: _Collector) -> None:
    for line in lines:
        entry = line
        note = ""
        for mark in ("#", ";"):
            entry, _, comment = entry.partition(mark)
            note = note or comment
        if entry.strip():
            found.add(entry, note.strip(), line)


def _read_json_lines(lines: Iterable[str], key: str, found: _Collector) -> None:
    """Parse one object per line. Spamhaus ends with a record that gives the number of the others."""
    for line in lines:
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            found.refuse(line)
            continue
        if not isinstance(record, dict):
            found.refuse(line)
        elif record.get("type") == "metadata":
            if isinstance(records := record.get("records"), int):
                found.promised = records
        elif isinstance(value := record.get(key), str):
            found.add(value, _note(record), line)
        else:
            found.refuse(line)


def _note(record: dict[str, object]) -> str:
    note = record.get("sblid", "")
    return note if isinstance(note, str) else ""


def _read_csv(lines: Iterable[str], shape: Shape, found: _Collector) -> None:
    wanted = (line for line in lines if line.strip() and not line.lstrip().startswith(("#", ";")))
    rows = _rows(wanted, shape.delimiter, found)
    header = next(rows, []) if shape.has_header else []
    column = _column(shape.column, header)
    for row in rows:
        if column is None or column >= len(row):
            found.refuse(shape.delimiter.join(row))
        else:
            found.add(row[column], "", shape.delimiter.join(row))


def _rows(lines: Iterator[str], delimiter: str, found: _Collector) -> Iterator[list[str]]:
    """Parse each line separately, so that an unclosed quote does not swallow the rest."""
    for line in lines:
        try:
            yield next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
        except (csv.Error, StopIteration):
            found.refuse(line)


def _column(wanted: str, header: list[str]) -> int | None:
    """Return the index of the column, from 0, or None if there is no column with that name."""
    if wanted.isascii() and wanted.isdigit() and 0 < int(wanted) < 1000:
        return int(wanted) - 1
    names = [name.strip() for name in header]
    return names.index(wanted) if wanted in names else None
