"""Errors an operator can cause with a policy: each with place, key, what is wrong and a remedy."""

from dataclasses import dataclass

from controller.policy.model import Place

MOST_ERRORS = 1_000  # more than anybody mends at once; the rest is said when these are mended
_LONGEST_QUOTE = 80


def quoted(text: str) -> str:
    """Return text of a file fit for a terminal: one line, escaped, bounded."""
    shown = text.encode("unicode_escape").decode("ascii")
    return f'"{shown[:_LONGEST_QUOTE]}..."' if len(shown) > _LONGEST_QUOTE else f'"{shown}"'


@dataclass(frozen=True, slots=True)
class PolicyError:
    place: Place
    key: str  # rule path, e.g. `tenants.acme.mail.mode`
    message: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.place.file}:{self.place.line}:{self.place.column}"
        return f"{where}: {self.key}: {self.message}; remedy: {self.remedy}"


class PolicyErrors(Exception):
    """Everything wrong with one policy, in the order of its lines."""

    def __init__(self, errors: list[PolicyError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda e: (e.place.line, e.place.column, e.key, e.message)))
        super().__init__("\n".join(map(str, self.errors)))


def note(errors: list[PolicyError], error: PolicyError) -> None:
    """Add an error; raise them all when there are too many to go on."""
    errors.append(error)
    if len(errors) >= MOST_ERRORS:
        raise PolicyErrors(errors)
