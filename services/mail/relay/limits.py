"""Limits on errors and useless commands of a client, after which its session ends."""

MAX_ERRORS = 20
MAX_JUNK = 100  # commands without a message, between two messages: EHLO, NOOP, RSET, VRFY, HELP
MAX_RECIPIENTS = 1_000  # in one transaction; RFC 5321, 4.5.3.1.8 requires at least 100


class Limits:
    """The counters of one session."""

    __slots__ = ("_errors", "_junk")

    def __init__(self) -> None:
        self._errors = self._junk = 0

    def count_error(self) -> bool:
        """Return whether that was one too many."""
        self._errors += 1
        return self._errors >= MAX_ERRORS

    def count_junk(self) -> bool:
        """Return whether that was one too many."""
        self._junk += 1
        return self._junk > MAX_JUNK

    def forgive_junk(self) -> None:
        """Reset the counters after a delivered message."""
        self._junk = 0
