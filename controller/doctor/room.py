"""Resources: disk and memory. Also, whether the clock is badly wrong."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from controller.doctor.finding import Finding
from controller.doctor.system import content_of

_REPOSITORY = Path(__file__).parents[2]
_MIB = 1024 * 1024
_LEAST_MEMORY_MIB = 1_500  # the lab of the demo
_FEWEST_FILES = 1_000
_EARLIEST_S = 1.4e9  # 2014: an earlier date does not show when a system was installed
_LONGEST_AGE_S = 15 * 365 * 86_400.0
# Their dates are those of their packages, regardless of the clock at installation.
_DATED = ("/usr/lib/os-release", "/etc/debian_version", "/usr/bin/python3", "/usr/share/zoneinfo/UTC")


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system, and our directories on it."""

    places: tuple[str, ...]
    free_mib: int
    needed_mib: int
    free_files: int | None  # None: it does not count them
    is_read_only: bool


@dataclass(frozen=True, slots=True)
class RoomFacts:
    disks: tuple[Disk, ...]
    memory_mib: int | None
    now_s: float  # since 1970
    system_made_s: float  # the newest date among files of the system's own packages; 0: unknown


def look() -> RoomFacts:
    memory = re.search(r"^MemAvailable:\s+(\d+) kB", content_of("/proc/meminfo") or "", re.MULTILINE)
    return RoomFacts(
        disks=tuple(_disks()),
        memory_mib=int(memory[1]) // 1024 if memory else None,
        now_s=time.time(),
        system_made_s=max((_made_s(file) for file in _DATED), default=0.0),
    )


def _made_s(file: str) -> float:
    try:
        return os.stat(file).st_mtime
    except OSError:
        return 0.0


def _disks() -> Iterator[Disk]:
    """Yield each file system once: state and logs, sockets and labs, the checkout, temporary files."""
    # Not tempfile.gettempdir(): it writes a file, and fails where every disk is full.
    temporary = os.environ.get("TMPDIR", "/tmp")
    wanted = (("/var", 500), ("/run", 50), (str(_REPOSITORY), 200), (temporary, 200))
    places_by_device: dict[int, list[tuple[str, int]]] = {}
    for place, needed_mib in wanted:
        places_by_device.setdefault(os.stat(place).st_dev, []).append((place, needed_mib))
    for places in places_by_device.values():
        facts = os.statvfs(places[0][0])
        yield Disk(
            places=tuple(place for place, _ in places),
            free_mib=facts.f_bavail * facts.f_frsize // _MIB,
            needed_mib=sum(needed_mib for _, needed_mib in places),
            free_files=facts.f_favail if facts.f_files else None,
            is_read_only=bool(facts.f_flag & os.ST_RDONLY),
        )


def judge(facts: RoomFacts) -> Iterator[Finding]:
    yield from map(_judge_disk, facts.disks)
    if facts.memory_mib is not None:
        yield _judge_memory(facts.memory_mib)
    yield _judge_clock(facts.now_s, facts.system_made_s)


def _judge_disk(disk: Disk) -> Finding:
    place, where = disk.places[0], ", ".join(disk.places)
    if disk.is_read_only:
        return Finding("disk", f"read-only: {where}", f"mount -o remount,rw {place}")
    if disk.free_files is not None and disk.free_files < _FEWEST_FILES:
        remedy = f"du -x --inodes {place} | sort -n | tail shows the directories"
        return Finding("disk", f"room for {disk.free_files} more files: {where}", remedy)
    remedy = f"free {disk.needed_mib} MiB; du -xh {place} | sort -h | tail shows the largest directories"
    fact = f"{disk.free_mib} MiB are free: {where}"
    return Finding("disk", fact, remedy if disk.free_mib < disk.needed_mib else "")


def _judge_memory(free_mib: int) -> Finding:
    if free_mib >= _LEAST_MEMORY_MIB:
        return Finding("memory", f"{free_mib} MiB are free")
    return Finding(
        "memory",
        f"{free_mib} MiB are free",
        f"free memory up to {_LEAST_MEMORY_MIB} MiB",
        "the lab: the kernel may kill its programs; a single program of the edge needs less",
    )


def _judge_clock(now_s: float, system_made_s: float) -> Finding:
    now, made = datetime.fromtimestamp(now_s, UTC), datetime.fromtimestamp(system_made_s, UTC)
    if system_made_s < _EARLIEST_S or system_made_s <= now_s <= system_made_s + _LONGEST_AGE_S:
        return Finding("clock", f"{now:%Y-%m-%d %H:%M} UTC")
    return Finding(
        "clock",
        f"{now:%Y-%m-%d}, but this system was installed {made:%Y-%m-%d}: certificates are considered invalid",
        "timedatectl set-ntp true, or: date --set=...",
    )
