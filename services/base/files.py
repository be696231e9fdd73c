"""Files that are written as a whole or not at all, and survive a crash once written."""

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

_PIECE = 1024**2


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace a file atomically. Raise `OSError`; the old file then stays in place.

    The file is never readable with more permissions than `mode`.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    beside.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(mode)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def remove_unfinished(directory: Path, names: Iterable[str]) -> None:
    """Remove temporary files that `write_whole` left behind when it was killed."""
    for name in names:
        for path in directory.glob(f".{name}.*.new"):
            path.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(directory: Path) -> None:
    """Sync all files of a directory, and their names, to disk."""
    for path in directory.iterdir():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    sync_directory(directory)


def point(link: Path, target: str) -> None:
    """Point a symbolic link at another target, atomically."""
    beside = link.with_name(f".{link.name}.{os.getpid()}.link")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(link)
    sync_directory(link.parent)


def remove_tree(directory: Path) -> None:
    """Remove a directory, including read-only files. A file that is already gone is not an error."""
    if directory.is_dir():
        directory.chmod(0o755)
    shutil.rmtree(directory, ignore_errors=True)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
