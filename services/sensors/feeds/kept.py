"""The last good copy of a feed on disk, with its date. A file that we cannot trust is not used."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from common.wire.codec import RecordError, Versioned, load, to_media
from services.base.files import write_whole
from services.base.settings import Network
from services.sensors.networks import parse_network, printable

_LARGEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FeedCopy:
    source: str
    fetched_at: float  # seconds since 1970, so that it stays meaningful after a restart
    etag: str
    last_modified: str
    note_by_network: Mapping[Network, str]


@dataclass(frozen=True, slots=True)
class _StoredFeed(Versioned):
    """A copy as it is on disk. Each entry is a prefix and a note."""

    source: str
    fetched_at: float
    etag: str
    last_modified: str
    entries: tuple[tuple[str, ...], ...]


class Keeper:
    """One directory, one file for each feed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, feed: str) -> Path:
        return self._directory / f"{feed}.json"

    def names(self) -> list[str]:
        """Return the names of the feeds that have a copy."""
        try:
            return sorted(path.stem for path in self._directory.glob("*.json"))
        except OSError:
            return []

    def load(self, feed: str) -> FeedCopy | None:
        """Return the copy, or None if it does not exist. Raise `ValueError` or `OSError` if unusable."""
        try:
            with self.path(feed).open("rb") as file:
                text = file.read(_LARGEST_BYTES + 1)
        except FileNotFoundError:
            return None
        if len(text) > _LARGEST_BYTES:
            raise ValueError("too large")
        try:
            kept = load(_StoredFeed, text).record
        except RecordError as error:
            raise ValueError(f"not a copy of a feed: {error!s:.200}") from error
        return FeedCopy(
            kept.source, kept.fetched_at, kept.etag, kept.last_modified, dict(_entries(kept.entries))
        )

    def save(self, feed: str, copy: FeedCopy) -> None:
        """Write a copy as a whole or not at all. Raise `OSError`."""
        self._directory.mkdir(parents=True, exist_ok=True)
        entries = tuple((str(network), note) for network, note in copy.note_by_network.items())
        kept = _StoredFeed(copy.source, copy.fetched_at, copy.etag, copy.last_modified, entries)
        write_whole(self.path(feed), json.dumps(to_media(kept)).encode())

    def forget(self, feed: str) -> None:
        """Remove a copy. Raise `OSError`."""
        self.path(feed).unlink(missing_ok=True)


def _entries(entries: Iterable[tuple[str, ...]]) -> Iterable[tuple[Network, str]]:
    for value, note in entries:
        network = parse_network(value)
        if network is None:
            raise ValueError(f"{value!r:.60} is not a valid prefix")
        yield network, printable(note)
