"""What was found while one file was read: errors, and the place of each key for the checks that follow."""

from typing import NoReturn

from common.config.errors import MOST_ERRORS, ConfigError, ConfigErrors, Place


class ErrorReport:
    """Collects the errors of one file; raises all of them at the end, or when there are too many."""

    def __init__(self, file: str, noun: str) -> None:
        self.top, self.noun = Place(file, 1, 1), noun
        self.errors: list[ConfigError] = []
        self.places: dict[str, Place] = {}

    def note(self, place: Place, path: str, message: str, remedy: str) -> None:
        """Add an error at a place. Raise `ConfigErrors` at the last one that is listed."""
        self.errors.append(ConfigError(place, path or self.noun, message, remedy))
        if len(self.errors) >= MOST_ERRORS:
            raise ConfigErrors(self.errors)

    def add(self, path: str, message: str, remedy: str) -> None:
        """Add an error at the place of a key, or of the nearest key above it."""
        self.note(self.place(path), path, message, remedy)

    def fail(self, place: Place, path: str, message: str, remedy: str) -> NoReturn:
        """Raise `ConfigErrors` with this error, after which nothing more can be read."""
        self.note(place, path, message, remedy)
        raise ConfigErrors(self.errors)

    def place(self, path: str) -> Place:
        while path and path not in self.places:
            path = path.rpartition(".")[0]
        return self.places.get(path, self.top)

    def line(self, path: str) -> str:
        return f"`{path}` on line {self.place(path).line}"

    def raise_any(self) -> None:
        """Raise `ConfigErrors` if any error was found."""
        if self.errors:
            raise ConfigErrors(self.errors)
