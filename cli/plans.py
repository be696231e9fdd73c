"""Plans in words, as `postern plan` and `postern apply` print them, and the files in which they are saved."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from cli.common import cannot_read, read_text
from common.commands import CommandError
from common.reports import one_line
from common.wire.codec import RecordError, load, to_media
from common.wire.plans import PlannedState, SavedPlan

_LARGEST_BYTES = 32 << 20
_MOST_LINES = 200  # of the summary; `--json` has all of it
_MOST_NAMED = 20  # settings of a switch
_REMOVED = {"foreign": "; is removed"}
_NOTHING = "nothing would change"


def plan_lines(answer: dict[str, Any], has_flows: bool) -> Iterator[str]:
    """Yield what a plan does: the summary, the sessions, then each switch."""
    summary = list(summary_lines(answer))
    yield from summary[:_MOST_LINES]
    if len(summary) > _MOST_LINES:
        yield f"and {len(summary) - _MOST_LINES} more lines; --json has all of them"
    for name in answer["dropped_switches"]:
        yield f"{name}: no longer in the policy; its flows stay as they are"
    for row in answer["sends"]:
        yield f"{row['switch']}: {_sends(row)}"
        if has_flows:
            yield from _flow_lines(answer["switches"][row["switch"]])
            yield from (f"  ! {line}" for line in row.get("repairs", ()))
    yield from (f"! {one_line(warning)}" for warning in answer["warnings"])
    if answer["is_empty"]:
        yield _NOTHING


def summary_lines(answer: dict[str, Any]) -> Iterator[str]:
    """Yield what changes, by subject, what is not as usual, and what becomes of open sessions."""
    for subject, changes in groupby(answer["summary"], key=lambda change: str(change["subject"])):
        texts = [str(change["text"]) for change in changes]
        if len(texts) == 1:
            yield f"{subject}: {texts[0]}"
        else:
            yield f"{subject}:"
            yield from (f"    {text}" for text in texts)
    yield from (f"now: {subject} {text}" for subject, text in answer["conditions"].items())
    for row in answer["sends"]:
        yield from _settings_lines(row)
    if not answer["is_empty"]:
        yield from _session_lines(answer["sessions"])


def _settings_lines(row: dict[str, Any]) -> Iterator[str]:
    """Yield which settings of a switch are put back, and which stay. A controller of 0.1 says neither."""
    put_back, staying = row.get("settings", ()), row.get("staying_settings", ())
    if put_back:
        count = "one setting" if len(put_back) == 1 else f"{len(put_back)} settings"
        yield f"puts back {count} of switch {row['switch']}:"
        yield from _named(f"{each['said']}{_REMOVED.get(each['change'], '')}" for each in put_back)
    if staying:
        what = "this stays" if len(staying) == 1 else f"these {len(staying)} stay"
        yield f"apply does not change all of switch {row['switch']}; {what}:"
        yield from _named(f"{each['said']}; remedy: {each['remedy']}" for each in staying)


def _named(texts: Iterable[str]) -> Iterator[str]:
    lines = [one_line(text) for text in texts]
    yield from (f"    {line}" for line in lines[:_MOST_NAMED])
    if len(lines) > _MOST_NAMED:
        yield f"    and {len(lines) - _MOST_NAMED} more; --json has all of them"


def _session_lines(sessions: dict[str, Any]) -> Iterator[str]:
    affected = [*sessions["moved"], *sessions["ended"]]
    if sessions["whole"] is None:
        known = "open sessions cannot be counted here"
        yield f"{known}; all of them stay" if not affected else f"{known}; these do not stay:"
    elif not affected:
        yield f"open sessions: all {sessions['whole']} stay where they are"
    else:
        stay = "an unknown number" if sessions["staying"] is None else sessions["staying"]
        yield f"open sessions: {sessions['whole']}, of which {stay} stay; these do not:"
    for verb, key in (("are", "moved"), ("end", "ended")):
        for each in sessions[key]:
            count = "the sessions" if each["count"] is None else f"{each['count']} sessions"
            text = each["text"] if verb == "are" else f"because {each['text']}"
            yield f"    {each['subject']}: {count} {verb} {text}"


def _sends(row: dict[str, Any]) -> str:
    text = str(row["text"]) if any(row["policy"].values()) else "nothing to send"
    if count := sum(row["decisions"].values()):
        text += f"; decisions and allow-list: {count} flows and meters change"
    if count := row["strays"]:
        where = "one place" if count == 1 else f"{count} places"
        text += f"; what others have changed in {where} is put right"
    if not row["is_known"]:
        text += "; it is not connected or not yet read, so this is compared with what it held last"
    return text


def _flow_lines(change: dict[str, Any]) -> Iterator[str]:
    yield from (f"  - {line}" for line in change["removed"])
    yield from (f"  + {line}" for line in change["added"])


def save_plan(path: Path, policy: dict[str, str], answer: dict[str, Any]) -> None:
    """Write a plan to a new file, or replace an earlier plan. Raise `CommandError`."""
    state = load(PlannedState, json.dumps(answer["state"])).record
    made_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    saved = SavedPlan(policy["file"], policy["text"], state, made_at, tuple(summary_lines(answer)))
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        draft.write_text(json.dumps(to_media(saved), indent=1) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        why = error.strerror or error
        raise CommandError([f"{path}: cannot be written: {why}; remedy: name another file"]) from error


def read_plan(path: Path) -> SavedPlan:
    """Return a saved plan. Raise `CommandError` if it cannot be read, or is not one."""
    try:
        return load(SavedPlan, read_text(path, _LARGEST_BYTES)).record
    except RecordError as error:
        remedy = error.remedy or "name a file that `postern plan FILE --out PLAN` has written"
        raise CommandError([f"{path}: not a saved plan: {error}; remedy: {remedy}"]) from error
    except OSError as error:
        raise CommandError([cannot_read(path, error)]) from error


def delivery_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield what each switch was sent, and whether it is what was planned."""
    for row in rows:
        yield f"{row['switch']}: {_delivered(row)}"


def _delivered(row: dict[str, Any]) -> str:
    sent = f"sent {row['sent']}" if row["sent"] else "nothing was sent"
    if row["decisions_sent"]:
        sent += f"; decisions and allow-list: {row['decisions_sent']} flows and meters"
    if not row["is_done"]:
        return f"{sent}; not confirmed yet"
    if not row["differences"]:
        return f"{sent}, as planned"
    differences = "; ".join(row["differences"])
    if not row["was_known"]:
        return f"{sent}; it was not connected when this was planned ({differences})"
    return f"{sent}, which is NOT AS PLANNED: {differences}"


def is_as_planned(rows: Sequence[dict[str, Any]]) -> bool:
    return not any(row["was_known"] and row["differences"] for row in rows)
