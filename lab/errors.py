"""Errors of the lab, with texts for its operator."""

from pathlib import Path


class LabError(Exception):
    """The lab cannot do what was asked. The text says what is wrong and what to do about it."""


class UnhealthyError(LabError):
    """A part of the lab does not work. The text names it and shows the end of its log."""


class NotUpError(LabError):
    """The command needs a lab, and none is up."""


def next_step(kept_logs: Path) -> str:
    """Return what to do if a part does not work, and where the logs are if they were kept."""
    kept = f"; all logs are in {kept_logs}" if kept_logs.exists() else ""
    return f"Next, run `postern doctor` to check this machine{kept}."
