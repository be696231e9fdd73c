"""What can go wrong in the lab, said to the person who called it."""

from pathlib import Path


class LabError(Exception):
    """The lab cannot do what was asked. The text says what is wrong and what to do about it."""


class UnhealthyError(LabError):
    """A part of the lab does not work; the text names it, and has the end of its log."""


class NotUpError(LabError):
    """Something was asked of a lab that is not up."""


def next_step(kept_logs: Path) -> str:
    """Say what to do when a part does not work, and where the logs are if they outlast the lab."""
    kept = f"; all logs are in {kept_logs}" if kept_logs.exists() else ""
    return f"Next: `postern doctor` checks this machine{kept}."
