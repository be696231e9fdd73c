"""A directory whose files may hold so many bytes together; what is there at the start counts."""

import contextlib
from pathlib import Path


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
        self.used_bytes = sum(self._size_by_name.values())

    def has(self, name: str) -> bool:
        return name in self._size_by_name

    def has_room(self, size: int) -> bool:
        return self.used_bytes + size <= self.limit_bytes

    def add(self, name: str, size: int) -> None:
        """Count bytes that a file grew by; a new name is the youngest."""
        self._size_by_name[name] = self._size_by_name.get(name, 0) + size
        self.used_bytes += size

    def remove_oldest(self, but: str) -> bool:
        """Remove the oldest file; return whether there was one."""
        name = next((name for name in self._size_by_name if name != but), None)
        if name is None:
            return False
        with contextlib.suppress(OSError):
            (self.directory / name).unlink()
        self.used_bytes -= self._size_by_name.pop(name)
        return True
