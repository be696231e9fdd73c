"""Hands each gateway pool its settings as a file, replaced as a whole or not at all."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from controller.render import Settings


class Publisher:
    """Called with the settings of all pools; raise `OSError` when the disk refuses."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, settings_by_pool: Mapping[str, Settings]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        for pool, settings in settings_by_pool.items():
            _replace(self._directory / f"{pool}.json", json.dumps(settings, indent=1) + "\n")
        for stale in self._directory.glob("*.json"):
            if stale.stem not in settings_by_pool:
                stale.unlink()


def _replace(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
