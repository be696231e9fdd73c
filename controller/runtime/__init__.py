"""The single writer: everything that changes state comes through here, one command or event at a time."""

from controller.runtime.accepted import Accepted
from controller.runtime.asked import Asked, Asker
from controller.runtime.context import Clock
from controller.runtime.dependencies import RuntimeDependencies
from controller.runtime.encoding import Encoder
from controller.runtime.runtime import Runtime, StillStarting

__all__ = [
    "Accepted",
    "Asked",
    "Asker",
    "Clock",
    "Encoder",
    "Runtime",
    "RuntimeDependencies",
    "StillStarting",
]
