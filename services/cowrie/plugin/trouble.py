"""Cowrie's own warnings and errors on standard error: one line each, escaped and limited in length."""

import sys
from typing import Any

from twisted.logger import LogLevel, formatEvent

_LONGEST = 1500
_BAD = (LogLevel.error, LogLevel.critical)


def tell_trouble(event: dict[str, Any]) -> None:
    """Write an event of Twisted's logger if it is a warning or an error."""
    if event.get("log_level") not in _BAD:
        return
    text = formatEvent(event)
    failure = event.get("log_failure")
    if failure is not None:
        text += " | " + failure.getTraceback()[-1000:]
    print(text[:_LONGEST].encode("unicode_escape").decode("ascii"), file=sys.stderr, flush=True)
