"""Drift as plain JSON values. Pure."""

from common.wire.codec import Json
from controller.runtime.commands.drift import DriftRow, EdgeDrift, SwitchDrift

NO_POLICY = "no policy"  # the mode before the first one


def drift(edge: EdgeDrift | None) -> Json:
    """Return open differences, the gravest first, and those that ended within the last hour."""
    switches = edge.switches if edge else ()
    opened = sorted((row for each in switches for row in each.open), key=_rank)
    ended = sorted((row for each in switches for row in each.ended), key=lambda row: -row.record.ended_at)
    return {
        "mode": edge.mode.value if edge else NO_POLICY,
        "open_count": sum(each.open_count for each in switches),
        "open": [_row(row) for row in opened],
        "ended": [_row(row) for row in ended],
        "switches": [_switch(each) for each in switches],
    }


def _rank(row: DriftRow) -> tuple[int, int, str, str]:
    return row.record.difference.rank


def _row(row: DriftRow) -> Json:
    record, difference = row.record, row.record.difference
    return {
        "switch": difference.switch,
        "kind": difference.kind.value,
        "change": difference.change.value,
        "text": difference.text,
        "wanted": difference.wanted,
        "rule": difference.rule,
        "place": row.place,
        "remedy": difference.remedy,
        "first_seen": record.first_seen,
        "last_seen": record.last_seen,
        "times": record.times,
        "ending": record.ending.value if record.ending else None,
        "ended_at": record.ended_at if record.ending else None,
    }


def _switch(each: SwitchDrift) -> Json:
    return {
        "name": each.switch,
        "open_count": each.open_count,
        "repairs": each.repairs,
        "watched": each.watched,
        "refusal": each.refusal,
        "unknown": each.unknown,
        "unwatched": each.unwatched,
        "is_blind": each.is_blind,
    }
