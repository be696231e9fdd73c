"""The last good copy of a feed on disk, with its date. A file that we cannot trust is not used."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.base.files import write_whole
from services.base.settings import Network
from services.sensors.networks import parse_network, printable

_FORMAT = 1
_LARGEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FeedCopy:
    source: str
    fetched_at: float  # seconds since 1970, so that it stays meaningful after a restart
    etag: str
    last_modified: str
    note_by_network: Mapping[Network, str]


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
            return _parse(json.loads(text))
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"not a copy of a feed: {error!r:.100}") from error

    def save(self, feed: str, copy: FeedCopy) -> None:
        """Write a copy as a whole or not at all. Raise `OSError`."""
        self._directory.mkdir(parents=True, exist_ok=True)
        write_whole(self.path(feed), json.dumps(_to_media(copy)).encode())

    def forget(self, feed: str) -> None:
        """Remove a copy. Raise `OSError`."""
        self.path(feed).unlink(missing_ok=True)


def _to_media(copy: FeedCopy) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "source": copy.source,
        "fetched_at": copy.fetched_at,
        "etag": copy.etag,
        "last_modified": copy.last_modified,
        "entries": [[str(network), note] for network, note in copy.note_by_network.items()],
    }


def _parse(media: Any) -> FeedCopy:
    if media["format"] != _FORMAT:
        raise ValueError(f"format {media['format']!r:.20} is unknown")
    return FeedCopy(
        str(media["source"]),
        float(media["fetched_at"]),
        str(media["etag"]),
        str(media["last_modified"]),
        dict(_entries(media["entries"])),
    )


def _entries(entries: Iterable[Any]) -> Iterable[tuple[Network, str]]:
    for value, note in entries:
        network = parse_network(str(value))
        if network is None:
            raise ValueError(f"{value!r:.60} is not a valid prefix")
        yield network, printable(str(note))
