"""How much a client may do wrong, or to no purpose, before its session ends."""

MAX_ERRORS = 20
MAX_JUNK = 100  # commands that lead nowhere, between two messages: EHLO, NOOP, RSET, VRFY, HELP
MAX_RECIPIENTS = 1_000  # in one transaction; RFC 5321, 4.5.3.1.8 asks for 100 at least


class Limits:
    """Counts of one session."""

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
        """Begin to count again, after a message that was delivered."""
        self._junk = 0
