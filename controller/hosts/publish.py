"""Writes each pool's settings to a file, which is replaced as a whole or not at all."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from common.wire.codec import to_media
from common.wire.decoy import DecoySettings
from controller.hosts.render import Settings


class Publisher:
    """Called with the settings of all pools; raises `OSError` if they cannot be written."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, settings_by_pool: Mapping[str, Settings]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        for pool, settings in settings_by_pool.items():
            is_secret = isinstance(settings, DecoySettings)
            replace_file(self._directory / f"{pool}.json", text_of(settings), is_secret=is_secret)
        for stale in self._directory.glob("*.json"):
            if stale.stem not in settings_by_pool:
                stale.unlink()


def text_of(settings: Settings) -> str:
    """Return the content of a pool's file."""
    return json.dumps(to_media(settings), indent=1) + "\n"


def replace_file(path: Path, text: str, *, is_secret: bool) -> None:
    """Replace a file atomically; only its owner may read a secret. Raise `OSError`."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if is_secret else 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, 0o600 if is_secret else 0o644)  # regardless of the umask
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
