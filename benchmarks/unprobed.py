"""A policy whose members are healthy while their ports are up, because sinks do not answer health checks."""

from pathlib import Path

from lab.paths import REPOSITORY


def unprobed(policy: Path) -> Path:
    """Return a copy of a policy in which no agent judges the members. Raise `OSError`."""
    copy = REPOSITORY / "build" / "benchmarks" / f"unprobed-{policy.name}"
    copy.parent.mkdir(parents=True, exist_ok=True)
    text = policy.read_text(encoding="utf-8")
    assert "    health: agent\n" in text
    copy.write_text(text.replace("    health: agent\n", ""), encoding="utf-8")
    return copy
