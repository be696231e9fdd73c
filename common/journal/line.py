"""One JSON line for each event. Text from outside is escaped and cut, never raw."""

import json
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii
from typing import Any

_LONGEST_TEXT = 2_000
_LONGEST_ITEM = 500
_MOST_ITEMS = 100


def encode(facts: Mapping[str, object]) -> str:
    """Return the inside of a JSON object, in ASCII."""
    return ", ".join([f'"{name}": {_encode_value(fact)}' for name, fact in facts.items()])


def _encode_value(value: Any, longest: int = _LONGEST_TEXT) -> str:
    """The same as json.dumps(), but many times faster for the most common values."""
    kind = type(value)
    if kind is str:
        return encode_basestring_ascii(value if len(value) <= longest else value[:longest] + "...")
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is float:
        return repr(value)
    if kind in (list, tuple):
        return f"[{', '.join([_encode_value(item, _LONGEST_ITEM) for item in value[:_MOST_ITEMS]])}]"
    return json.dumps(value)


class About:
    """Facts that many events of one session share, encoded once."""

    __slots__ = ("facts", "text")

    def __init__(self, facts: Mapping[str, object], *, keep: bool) -> None:
        self.text = f", {encode(facts)}" if facts else ""
        self.facts: Mapping[str, object] = facts if keep else {}  # only a check needs them
