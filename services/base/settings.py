"""Reads the JSON settings that the controller writes. Every error names the key and a remedy."""

from typing import TypeVar

from common.wire.codec import Loaded, RecordError, Versioned, load
from common.wire.values import Address as Address
from common.wire.values import Network as Network

R = TypeVar("R", bound=Versioned)


class SettingsError(Exception):
    """The settings file is not valid. The text names the key and a remedy."""


def read_settings(kind: type[R], text: str) -> Loaded[R]:
    """Read a settings file of the controller. Raise `SettingsError`."""
    try:
        return load(kind, text)
    except RecordError as error:
        remedy = error.remedy or "let the controller write the file again"
        raise SettingsError(f"{error}; remedy: {remedy}") from error


def facts_of(loaded: Loaded[R]) -> dict[str, list[str]]:
    """Return the journal fields for settings from a newer controller: the keys that were ignored."""
    return {"unknown_keys": list(loaded.unknown_keys)} if loaded.unknown_keys else {}
