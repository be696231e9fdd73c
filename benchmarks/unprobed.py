"""A policy whose members are healthy while their ports are up, because sinks do not answer health checks."""

from pathlib import Path

from lab.paths import REPOSITORY


def unprobed(policy: Path) -> Path:
    """Return a copy of a policy without agents that judge members, and without limits. Raise `OSError`."""
    copy = REPOSITORY / "build" / "benchmarks" / f"unprobed-{policy.name}"
    copy.parent.mkdir(parents=True, exist_ok=True)
    text = policy.read_text(encoding="utf-8")
    assert "    health: agent\n" in text
    text = text.replace("    health: agent\n", "")
    # A benchmark opens more connections per second at one tenant than the default allows.
    assert "    prefixes: [" in text
    text = text.replace("    prefixes: [", "    limit_per_second: off\n    prefixes: [")
    copy.write_text(text, encoding="utf-8")
    return copy
