"""Builds docs/events.md from the catalogue of events."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from common.journal.events import Event, Field

_HEAD = """\
# Events

`make docs` generates this page from the code. Do not edit it.

The controller and the programs on hosts write a journal: one JSON object per line, in ASCII. Text is
escaped, and cut after 2,000 characters (500 in a list). Each line has these fields:

| field | content |
| --- | --- |
| `time` | UTC, RFC 3339, with microseconds |
| `severity` | `error`, `warning`, `notice` or `info`, as in syslog |
| `event` | a name from the tables below |
| `program` | the command, for example `postern-mail` |
| `instance` | the name that the operator gave to it (`--name`), for example that of the pool member |

A field in parentheses may be missing or null. A full disk does not block a program: the journal counts
lost lines and reports them by `LinesLost`. After a log rotation, send SIGHUP to reopen the file.
"""


def build_page(catalogues: Iterable[type[Event]]) -> str:
    return "\n".join([_HEAD, *(line for each in catalogues for line in _section(each))])


def _section(catalogue: type[Event]) -> Iterator[str]:
    yield f"## {(catalogue.__doc__ or '').strip().rstrip('.')}\n"
    yield "| event | severity | meaning | fields |\n| --- | --- | --- | --- |"
    yield from map(_event_row, catalogue)
    yield "\n| field | type | meaning |\n| --- | --- | --- |"
    yield from _field_rows(catalogue)
    yield ""


def _event_row(event: Event) -> str:
    fields = ", ".join(
        f"`{each.name}`" if each.is_required else f"(`{each.name}`)" for each in event.kind.fields
    )
    return f"| `{event}` | {event.kind.severity} | {event.kind.meaning} | {fields} |"


def _field_rows(catalogue: type[Event]) -> Iterator[str]:
    """Yield each field once; if its meaning differs between events, each meaning with its events."""
    events_by_field: dict[Field, list[str]] = {}
    for event in catalogue:
        for field in event.kind.fields:
            events_by_field.setdefault(replace(field, is_required=True), []).append(f"`{event}`")
    meanings = Counter(field.name for field in events_by_field)
    for field, events in sorted(events_by_field.items(), key=lambda item: item[0].name):
        where = f"in {', '.join(events)}: " if meanings[field.name] > 1 else ""
        yield f"| `{field.name}` | {field.kind.word} | {where}{field.meaning} |"
