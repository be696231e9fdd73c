"""Receipts in words: whether each switch holds what it should, as it has just said itself."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from controller.sync.receipts import Held

_WORDS = {Held.INSTALLED: "installed", Held.MISSING: "NOT INSTALLED", Held.UNKNOWN: "UNKNOWN"}


def receipt_lines(receipt: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each switch that must hold a decision or an allowance."""
    if not receipt["in_force"]:
        yield f"         not in force: {receipt['reason']}"
        return
    for row in receipt["switches"]:
        yield f"         {row['switch']}: {switch_text(row)}, cookie {receipt['cookie']}"
        yield from (f"             {fault}" for fault in row.get("faults", ()))
    if not receipt["switches"]:
        yield "         on no switch: no tenant has an address of this family"


def switch_text(row: dict[str, Any]) -> str:
    """Return what one switch holds, and how many packets matched."""
    held = Held(row["state"])
    state = _WORDS[held]
    if held is Held.UNKNOWN:
        return f"{state}: {row['reason']}"
    if held is Held.MISSING:
        state += f": {_held(row)}"
        state += f", {row['changed']} changed" if row["changed"] else ""
    more = f", and {row['more']} more with the same cookie" if row["more"] else ""
    return f"{state}{more}, {counters(row)}"


def _held(row: dict[str, Any]) -> str:
    count = len(row.get("faults", ()))
    if row["held"] < row["flows"] or not count:
        return f"{row['held']} of {row['flows']} flows"
    return f"{'a group or meter is' if count == 1 else f'{count} groups and meters are'} not as wanted"


def counters(row: dict[str, Any]) -> str:
    """Return packets, bytes and age; nothing is claimed about what is not known."""
    if row["packets"] is None:
        return "packets unknown"
    age = f", for {timedelta(seconds=row['age_s'])}" if row["age_s"] is not None else ""
    return f"{row['packets']} packets, {row['bytes']} bytes{age}"


def summary(receipt: dict[str, Any] | None) -> str:
    """Return a receipt in a few words, for a line in a list; empty: it was not asked for."""
    if receipt is None:
        return ""
    if not receipt["in_force"]:
        return f"not in force: {receipt['reason']}"
    rows = receipt["switches"]
    if not rows:
        return "on no switch"
    packets = sum(row["packets"] or 0 for row in rows)
    bad = [f"{_WORDS[Held(row['state'])]} on {row['switch']}" for row in rows if not row["confirmed"]]
    return f"{', '.join(bad) or 'installed'}, {packets} packets"


def is_confirmed(receipt: dict[str, Any]) -> bool:
    """Return whether every switch holds it now; what is not in force needs no switch."""
    return not receipt["in_force"] or are_confirmed(receipt["switches"])


def are_confirmed(rows: Sequence[dict[str, Any]]) -> bool:
    return all(row["confirmed"] for row in rows)
