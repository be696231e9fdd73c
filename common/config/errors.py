"""What an operator can get wrong in a file: each error with place, key, message and remedy."""

from dataclasses import dataclass

MOST_ERRORS = 1_000  # reading stops here; a file with so many errors is probably of another kind
_LONGEST_QUOTE = 80


def quoted(text: str) -> str:
    """Return text from a file in a form that is safe for a terminal: one line, escaped, bounded."""
    shown = text.encode("unicode_escape").decode("ascii")
    return f'"{shown[:_LONGEST_QUOTE]}..."' if len(shown) > _LONGEST_QUOTE else f'"{shown}"'


def safe(text: str) -> str:
    """Return `quoted` without its quotes, as a step of a key's path."""
    return quoted(text)[1:-1]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file. Line and column count from 1."""

    file: str
    line: int
    column: int

    @property
    def order(self) -> tuple[int, int]:
        return self.line, self.column


def place_after(file: str, before: str) -> Place:
    """Return the place that follows the text before it."""
    return Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))


@dataclass(frozen=True, slots=True)
class ConfigError:
    place: Place
    key: str  # its path, e.g. `tenants.acme.mail.mode`
    message: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.place.file}:{self.place.line}:{self.place.column}"
        return f"{where}: {self.key}: {self.message}; remedy: {self.remedy}"


class ConfigErrors(Exception):
    """Everything wrong with one file, in the order of its lines."""

    def __init__(self, errors: list[ConfigError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda e: (*e.place.order, e.key, e.message)))
        super().__init__("\n".join(map(str, self.errors)))
