"""The kinds of files that an operator writes: grammar, parser, and what their reference pages begin with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common.config.grammar import Document
from controller.policy import reference
from controller.policy.grammar import POLICY_FILE
from controller.policy.parse import parse_policy

KINDS = ("policy", "sensors")


@dataclass(frozen=True)
class FileKind:
    """`example` is a good file, relative to the checkout; `parse` takes a text and its file's name."""

    document: Document
    parse: Callable[[str, str], object]
    head: str
    example: Path


def load_kind(kind: str) -> FileKind:
    """Return what belongs to one of `KINDS`. Programs on hosts are imported only for their own files."""
    match kind:
        case "policy":
            return FileKind(POLICY_FILE, parse_policy, reference.HEAD, Path("policies/demo.yaml"))
        case "sensors":
            return _load_sensors()
        case _:
            raise ValueError(kind)


def _load_sensors() -> FileKind:
    from services.sensors.grammar import SENSORS_FILE
    from services.sensors.reference import HEAD
    from services.sensors.settings import parse_settings

    return FileKind(SENSORS_FILE, parse_settings, HEAD, Path("deploy/sensors/sensors.yaml"))
