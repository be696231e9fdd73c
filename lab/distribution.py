"""Selects the directory for this Debian release from several, one for each release."""

from collections.abc import Iterable
from pathlib import Path

_OS_RELEASE = Path("/etc/os-release")
_PREFIX = "debian-"


def fitting(directory: Path, os_release: Path = _OS_RELEASE) -> Path:
    """Return `directory/debian-N` for this release, otherwise the nearest older one, otherwise the oldest."""
    known = sorted(int(each.name.removeprefix(_PREFIX)) for each in directory.glob(f"{_PREFIX}[0-9]*"))
    return directory / f"{_PREFIX}{_nearest(known, release(os_release))}"


def release(os_release: Path = _OS_RELEASE) -> int:
    """Return the number of the Debian release; 0 if this is another distribution. os-release(5)."""
    try:
        rows = os_release.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    facts = {name: value.strip("\"'") for name, _, value in (row.partition("=") for row in rows)}
    number = facts.get("VERSION_ID", "").partition(".")[0]
    return int(number) if facts.get("ID") == "debian" and number.isascii() and number.isdigit() else 0


def _nearest(known: Iterable[int], wanted: int) -> int:
    oldest, *later = known
    return max((each for each in later if each <= wanted), default=oldest)
