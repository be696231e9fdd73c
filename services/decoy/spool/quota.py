"""A directory with a limit on the total size of its files. Existing files count.

A file counts in whole blocks: a million files of one byte fill a disk, too.
"""

import contextlib
from pathlib import Path

_BLOCK_BYTES = 4_096


class Quota:
    def __init__(self, directory: Path, limit_bytes: int) -> None:
        """Raise `OSError` if the directory cannot be made."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.directory, self.limit_bytes = directory, limit_bytes
        found = []
        for file in directory.iterdir():
            with contextlib.suppress(OSError):
                facts = file.stat()
                found.append((facts.st_mtime_ns, file.name, facts.st_size))
        self._size_by_name = {name: size for _, name, size in sorted(found)}  # oldest first
        self.used_bytes = sum(map(_on_disk, self._size_by_name.values()))

    def has(self, name: str) -> bool:
        return name in self._size_by_name

    def has_room(self, name: str, size: int) -> bool:
        """Return whether a file may grow by this many bytes."""
        return self.used_bytes + self._growth(name, size) <= self.limit_bytes

    def add(self, name: str, size: int) -> None:
        """Count the bytes by which a file grew. A new file is the youngest."""
        self.used_bytes += self._growth(name, size)
        self._size_by_name[name] = self._size_by_name.get(name, 0) + size

    def remove_oldest(self, but: str) -> bool:
        """Remove the oldest file; return whether there was one."""
        name = next((name for name in self._size_by_name if name != but), None)
        if name is None:
            return False
        with contextlib.suppress(OSError):
            (self.directory / name).unlink()
        self.used_bytes -= _on_disk(self._size_by_name.pop(name))
        return True

    def _growth(self, name: str, size: int) -> int:
        before = self._size_by_name.get(name)
        return _on_disk((before or 0) + size) - (0 if before is None else _on_disk(before))


def _on_disk(size: int) -> int:
    return max(1, -(-size // _BLOCK_BYTES)) * _BLOCK_BYTES
