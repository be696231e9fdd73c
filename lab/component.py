"""A part of the lab: a program on a host, with how to start it and check its health."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.policy.model import Policy
from lab.network import Network
from lab.paths import LabPaths


def _nothing() -> None:
    return None


def _no_crashes() -> str:
    return ""


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Component:
    """`check` asks as a client would, and returns the problem; an empty text after a real answer.

    `find_crashes` returns why a program's children die repeatedly, so that waiting does not help.
    A part without a command starts nothing: it is a path through the edge that must work.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    check: Callable[[], str]
    host: str = ""  # empty: on this machine itself
    prepare: Callable[[], None] = _nothing  # writes what the program reads; may raise OSError
    is_due: Callable[[], bool] = _always  # false while something that it needs is not there yet
    find_crashes: Callable[[], str] = _no_crashes
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that the parts of a lab are derived from."""

    places: LabPaths
    network: Network
    policy: Policy
    policy_file: Path
    controller: str  # HOST:PORT of the OpenFlow listener
