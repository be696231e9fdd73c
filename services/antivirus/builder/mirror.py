"""Mirrors ClamAV's own databases with `cvdupdate`: accepted as a whole after verification, or not at all.

The files contain ClamAV's digital signatures, which `sigtool` verifies. Downloads may be
truncated, old, forged or empty: the last good copy then stays.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from common.wire.generations import is_plain_name
from services.antivirus.builder.publisher import Publisher
from services.antivirus.builder.store import Store
from services.base.files import point, remove_tree, sync_tree

_SUFFIXES = (".cvd", ".cdiff", ".sign")
_NEEDED = ("main.cvd", "daily.cvd")
_VERSION = re.compile(r"^Version: (\d+)$", re.MULTILINE)
_HEAD = b"ClamAV-"
_VERIFIES_WITHIN_S = 300.0
_FETCHES_WITHIN_S = 3_600.0
_CDIFF = re.compile(r"[a-z]+-\d+\.cdiff")


class NotMirrored(Exception):
    """The mirror is unchanged; the text says why, and gives a remedy."""


def publish_official(publisher: Publisher, source: Path | None) -> int:
    """Fetch ClamAV's own databases, or take a directory that holds them, and publish; return the generation.

    Raise `NotMirrored`, `NotPublished` or `StoreError`; the last good databases then stay.
    """
    with publisher.store.locked():
        directory = source or publisher.store.root / "cvdupdate"
        if source is None:
            fetch(directory)
        versions = take(publisher.store, directory)
    why = "ClamAV's " + ", ".join(f"{name} {version}" for name, version in versions.items())
    return publisher.publish(why)


def fetch(directory: Path) -> None:
    """Update a directory with `cvd` (cvdupdate). Raise `NotMirrored`."""
    directory.mkdir(parents=True, exist_ok=True)
    program = _program()
    if program is None:
        raise NotMirrored("cvdupdate is not installed; remedy: make setup, or pip install cvdupdate")
    configuration = directory.parent / "cvdupdate.json"
    for arguments in (["config", "set", "--dbdir", str(directory)], ["update"]):
        try:
            done = subprocess.run(
                [program, *arguments, "--config", str(configuration)],
                capture_output=True, encoding="utf-8", errors="replace",
                timeout=_FETCHES_WITHIN_S, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotMirrored(f"cvd {arguments[0]}: {error}") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            why = said[-1][:300] if said else f"exit code {done.returncode}"
            raise NotMirrored(f"cvd {arguments[0]}: {why}; remedy: check the connection to the internet")


def _program() -> str | None:
    """Return the path of `cvd`: from our own environment, or else from the system."""
    ours = Path(sys.executable).with_name("cvd")
    return str(ours) if ours.exists() else shutil.which("cvd")


def take(store: Store, source: Path) -> dict[str, int]:
    """Verify a directory and install it as the store's mirror; return versions by database.

    Raise `NotMirrored`; the last good mirror then stays.
    """
    files = sorted(path for path in source.iterdir() if path.suffix in _SUFFIXES) if source.is_dir() else []
    names = {path.name for path in files}
    if missing := [name for name in _NEEDED if name not in names]:
        raise NotMirrored(f"{source}: {', '.join(missing)} is missing; remedy: fetch again")
    versions = {path.name: _version_of(path) for path in files if path.suffix == ".cvd"}
    _check_not_older(store, versions)
    for path in files:
        _check_companion(path)
    beside = store.root / ".official.new"
    remove_tree(beside)
    target = store.root / f"official-{'-'.join(str(version) for version in versions.values())}"
    try:
        beside.mkdir()
        for path in files:
            shutil.copyfile(path, beside / path.name)
        sync_tree(beside)
        remove_tree(target)
        beside.rename(target)
        old = store.official.resolve() if store.official.is_symlink() else None
        point(store.official, target.name)
    except OSError as error:
        remove_tree(beside)
        raise NotMirrored(f"{store.root}: {error}; remedy: free some space") from error
    if old and old != target:
        remove_tree(old)
    return versions


def _check_not_older(store: Store, versions: dict[str, int]) -> None:
    for name, version in versions.items():
        known = store.official / name
        if known.is_file() and _version_of(known) > version:
            raise NotMirrored(
                f"{name} is version {version}, older than the present {_version_of(known)}, which stays"
            )


def _check_companion(path: Path) -> None:
    """Check a file that no tool can verify on its own: it must at least be what its name says."""
    if not is_plain_name(path.name):
        raise NotMirrored(f"{path.name!r} is not a valid name of a database")
    if path.stat().st_size == 0:
        raise NotMirrored(f"{path.name} is empty")
    if path.suffix == ".cdiff":
        with path.open("rb") as file:
            if not _CDIFF.fullmatch(path.name) or not file.read(16).startswith(_HEAD):
                raise NotMirrored(f"{path.name} is not a ClamAV .cdiff")


def _version_of(path: Path) -> int:
    """Verify a database with `sigtool`; return its version. Raise `NotMirrored`."""
    try:
        done = subprocess.run(
            ["sigtool", f"--info={path}"],
            capture_output=True, encoding="utf-8", errors="replace",
            timeout=_VERIFIES_WITHIN_S, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMirrored(f"sigtool cannot be run: {error}; remedy: apt-get install clamav") from error
    found = _VERSION.search(done.stdout)
    if done.returncode or not found or "Verification OK" not in done.stdout:
        raise NotMirrored(
            f"{path.name}: {' '.join(_complaints(done.stdout + done.stderr)) or 'verification failed'}"
        )
    return int(found[1])


def _complaints(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if "ERROR" in line or "rror" in line or "FAILED" in line:
            yield line.strip()[:200]
