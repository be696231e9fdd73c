"""What is wrong with a persona file: place, key, message and remedy, all at once."""

from dataclasses import dataclass

_LONGEST_QUOTE = 60
_MOST_ERRORS = 200


def quoted(text: str) -> str:
    """Return text of a file fit for a terminal: one line, escaped, bounded."""
    shown = text.encode("unicode_escape").decode("ascii")
    return f'"{shown[:_LONGEST_QUOTE]}..."' if len(shown) > _LONGEST_QUOTE else f'"{shown}"'


@dataclass(frozen=True, slots=True)
class Place:
    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class PersonaError:
    place: Place
    key: str  # e.g. `hosts.mx.services.25.banner`
    message: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.place.file}:{self.place.line}:{self.place.column}"
        return f"{where}: {self.key}: {self.message}; remedy: {self.remedy}"


class PersonaErrors(Exception):
    """Everything wrong with one persona, in the order of its lines."""

    def __init__(self, errors: list[PersonaError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda e: (e.place.line, e.place.column, e.key)))
        super().__init__("\n".join(map(str, self.errors)))


class Errors:
    """Collects errors; raises them all when there are more than anybody mends at once."""

    def __init__(self) -> None:
        self.found: list[PersonaError] = []

    def note(self, place: Place, key: str, message: str, remedy: str) -> None:
        self.found.append(PersonaError(place, key, message, remedy))
        if len(self.found) >= _MOST_ERRORS:
            raise PersonaErrors(self.found)

    def raise_any(self) -> None:
        if self.found:
            raise PersonaErrors(self.found)
