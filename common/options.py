"""Options of commands: read like the values of operators' files, in the same spelling, with limits."""

import argparse
from collections.abc import Callable
from typing import Any

from common.config.kinds import Kind, Wrong, duration, size, whole_number

Reader = Callable[[str], Any]
_MOST = 10**9


def option_of(kind: Kind) -> Reader:
    """Return the `type` of an option whose values are of a kind."""

    def read(text: str) -> Any:
        try:
            return kind.read(text)
        except Wrong as error:
            raise argparse.ArgumentTypeError(f"{error.message}; remedy: {error.remedy}") from error

    return read


def number_option(least: int = 1, most: int = _MOST) -> Reader:
    return option_of(whole_number(least, most))


def duration_option(least: str, most: str) -> Reader:
    """Values are seconds."""
    return option_of(duration(least, most))


def size_option(least: str, most: str) -> Reader:
    """Values are bytes."""
    return option_of(size(least, most))
