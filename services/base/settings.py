"""Reads the JSON settings that the controller writes. Every error names the key and a remedy."""

from ipaddress import ip_address, ip_network
from typing import Any, TypeVar

from common.wire.codec import Loaded, RecordError, Versioned, load
from common.wire.values import Address as Address
from common.wire.values import Network as Network

R = TypeVar("R", bound=Versioned)


class SettingsError(Exception):
    """The file is no valid settings; the text names the key and a remedy."""


class Reader:
    """Reads keys of one JSON object; every error names the path of the key."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise SettingsError(
                f"{path or 'the file'}: an object is wanted; remedy: let the controller write it"
            )
        self._value, self._path = value, path

    def take(self, key: str, kind: type, default: Any = None) -> Any:
        value = self._value.get(key, default)
        is_number_as_bool = kind is int and isinstance(value, bool)
        if not isinstance(value, kind) or is_number_as_bool:
            raise SettingsError(
                f"{self._name(key)}: {kind.__name__} is wanted; remedy: let the controller write it"
            )
        return value

    def record(self, key: str) -> "Reader":
        return Reader(self._value.get(key, {}), self._name(key))

    def records(self, key: str) -> "list[Reader]":
        items = self.take(key, list, [])
        return [Reader(item, f"{self._name(key)}[{number}]") for number, item in enumerate(items)]

    def one_of(self, key: str, allowed: tuple[str, ...], default: str) -> str:
        value = self.take(key, str, default)
        if value not in allowed:
            raise SettingsError(
                f"{self._name(key)}: unknown value {value!r:.60}; remedy: one of {', '.join(allowed)}"
            )
        return str(value)

    def addresses(self, key: str) -> tuple[Address, ...]:
        return self._each(key, ip_address)

    def networks(self, key: str) -> tuple[Network, ...]:
        return self._each(key, ip_network)

    def texts(self, key: str) -> tuple[str, ...]:
        return self._each(key, str)

    def port(self, key: str) -> int:
        port: int = self.take(key, int, 25)
        if not 1 <= port <= 65_535:
            raise SettingsError(f"{self._name(key)}: outside 1..65535; remedy: correct it")
        return port

    def numbers(self, key: str) -> dict[str, int]:
        """Return numbers above zero, by name."""
        record = self.record(key)
        numbers: dict[str, int] = {name: record.take(name, int) for name in self.take(key, dict, {})}
        if low := [name for name, number in numbers.items() if number < 1]:
            raise SettingsError(f"{record._name(low[0])}: is below 1; remedy: correct it")
        return numbers

    def flag_or_none(self, key: str) -> bool | None:
        value = self._value.get(key)
        if value is not None and not isinstance(value, bool):
            raise SettingsError(f"{self._name(key)}: true, false or null is wanted; remedy: correct it")
        return value

    def _each(self, key: str, read: Any) -> tuple[Any, ...]:
        try:
            return tuple(read(item) for item in self.take(key, list, []))
        except ValueError as error:
            raise SettingsError(f"{self._name(key)}: {error}; remedy: correct the address") from error

    def _name(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key


def read_settings(kind: type[R], text: str) -> Loaded[R]:
    """Read a settings file of the controller. Raise `SettingsError`."""
    try:
        return load(kind, text)
    except RecordError as error:
        remedy = error.remedy or "let the controller write the file again"
        raise SettingsError(f"{error}; remedy: {remedy}") from error


def facts_of(loaded: Loaded[R]) -> dict[str, list[str]]:
    """Return what a journal notes of settings from a newer controller: keys that were ignored."""
    return {"unknown_keys": list(loaded.unknown_keys)} if loaded.unknown_keys else {}
