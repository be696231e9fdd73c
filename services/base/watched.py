"""A settings file that the controller replaces as a whole: its text, and whether it has changed."""

from pathlib import Path


class WatchedFile:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] = (0, 0, 0)

    def read(self) -> str:
        """Return the text; mark this version as seen, valid or not. Raise `OSError`, `UnicodeDecodeError`."""
        self._seen = self._facts()
        return self.path.read_text(encoding="utf-8")

    def mark_seen(self) -> None:
        """Mark the file as it is now, or its absence, as seen."""
        try:
            self._seen = self._facts()
        except OSError:
            self._seen = (0, 0, 0)

    def has_changed(self) -> bool:
        """Return whether the file differs from the one read last. An absent file has not changed."""
        try:
            return self._facts() != self._seen
        except OSError:
            return False

    def _facts(self) -> tuple[int, int, int]:
        facts = self.path.stat()
        return facts.st_mtime_ns, facts.st_ino, facts.st_size
