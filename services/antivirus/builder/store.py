"""The builder's store: its layout, its state, and the lock for changes.

keys/            postern-av.key (secret), postern-av.pub
own.json         our own signatures, with who, when and why
official/        a complete mirror of ClamAV's databases, if there is one; a link to the last good copy
generations/     00000012/: complete, read-only
rings/           canary, all: links to directories with ring.json and its signature
state.json       counters that never decrease, and whether publishing is frozen
history.jsonl    who did what, when and why
"""

import fcntl
import getpass
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from common.wire.codec import RecordError, Versioned, from_media, to_media, unknown_keys
from common.wire.generations import Manifest, RingTarget
from common.wire.values import Count
from services.antivirus import signing
from services.antivirus.formats import (
    MANIFEST,
    RING,
    RINGS,
    Malformed,
    directory_of,
    parse_manifest,
    parse_ring,
)
from services.antivirus.signatures import Entry, OwnSignatures
from services.base.files import remove_tree, write_whole

_MOST_ENTRIES = 100_000
_HISTORY_SHOWN = 200
_RESTORE = "restore it from a backup"
R = TypeVar("R", bound=Versioned)


class StoreError(Exception):
    """The store cannot be used; the text says why, and gives a remedy."""


@dataclass(frozen=True, slots=True)
class StoreState(Versioned):
    generation: Count = 0  # the last number given to a generation, built or not
    serial: Count = 0
    frozen: str = ""  # why publishing is frozen; empty if it is not


class Store:
    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def secret_key(self) -> Path:
        return self.root / "keys" / "postern-av.key"

    @property
    def public_key(self) -> Path:
        return self.root / "keys" / "postern-av.pub"

    @property
    def generations(self) -> Path:
        return self.root / "generations"

    @property
    def rings(self) -> Path:
        return self.root / "rings"

    @property
    def official(self) -> Path:
        return self.root / "official"

    def directory(self, generation: int) -> Path:
        return self.generations / directory_of(generation)

    def prepare(self) -> None:
        """Create what is missing, including keys. Raise `StoreError`."""
        try:
            for directory in (self.generations, self.rings, self.secret_key.parent):
                directory.mkdir(parents=True, exist_ok=True)
            self.secret_key.parent.chmod(0o755)
            if not self.secret_key.exists():
                signing.make_key(self.secret_key, self.public_key)
                self.note("key", f"created a key: {self.public_key}")
        except (OSError, signing.SigningFailed) as error:
            raise StoreError(
                f"{self.root}: {error}; remedy: choose a directory that can be written"
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the store for changes. First remove what a killed process left unfinished."""
        self.prepare()
        with (self.root / "lock").open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise StoreError(
                    f"{self.root} is locked by another process; remedy: wait until it has finished"
                ) from error
            for leftover in (*self.generations.glob(".new-*"), *self.root.glob(".*.new")):
                leftover.unlink() if leftover.is_file() else remove_tree(leftover)
            yield

    def state(self) -> StoreState:
        return _load(StoreState, self.root / "state.json")

    def save_state(self, state: StoreState) -> None:
        """Write the state, without its format: the first release would refuse that key."""
        write_whole(self.root / "state.json", json.dumps(asdict(state)).encode())

    def next_generation(self) -> int:
        """Return a number that no generation has had before."""
        highest = max([self.state().generation, *self.built()])
        self.save_state(replace(self.state(), generation=highest + 1))
        return highest + 1

    def next_serial(self) -> int:
        highest = max([self.state().serial, *(ring.serial for ring in self.pointers().values())])
        self.save_state(replace(self.state(), serial=highest + 1))
        return highest + 1

    def built(self) -> list[int]:
        """Return the numbers of all existing generations, in order."""
        names = (path.name for path in self.generations.glob("[0-9]*")) if self.generations.is_dir() else ()
        return sorted(int(name) for name in names if name.isdecimal())

    def manifest(self, generation: int) -> Manifest:
        try:
            return parse_manifest((self.directory(generation) / MANIFEST).read_bytes())
        except (OSError, Malformed) as error:
            raise StoreError(f"generation {generation}: {error}") from error

    def pointers(self) -> dict[str, RingTarget]:
        """Return what each ring points to. Rings without a generation are left out."""
        found = {}
        for name in RINGS:
            try:
                found[name] = parse_ring((self.rings / name / RING).read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, Malformed) as error:
                raise StoreError(f"{self.rings / name}: {error}") from error
        return found

    def entries(self) -> tuple[Entry, ...]:
        """Return our own signatures; their file holds only the list."""
        return _load(OwnSignatures, self.root / "own.json", lambda entries: {"entries": entries}).entries

    def save_entries(self, entries: tuple[Entry, ...]) -> None:
        if len(entries) > _MOST_ENTRIES:
            raise StoreError(f"more than {_MOST_ENTRIES} custom signatures; remedy: remove old ones")
        text = json.dumps(to_media(OwnSignatures(entries))["entries"], indent=1)
        write_whole(self.root / "own.json", text.encode())

    def note(self, what: str, text: str, **facts: Any) -> None:
        """Write a line of history. A failure to write it is ignored."""
        line = {"at": utc_now(), "by": who(), "what": what, "text": text, **facts}
        try:
            with (self.root / "history.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError:
            return

    def history(self) -> list[dict[str, Any]]:
        """Return the last lines of history, oldest first. A line truncated by a crash is left out."""
        try:
            lines = (self.root / "history.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines[-_HISTORY_SHOWN:]:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found


def _load(kind: type[R], path: Path, to_record: Callable[[Any], object] = lambda media: media) -> R:
    """Read a file of the store; without one, the record has its defaults. Raise `StoreError`.

    Keys of a newer release are refused: they would be lost when the file is written again.
    """
    try:
        media = to_record(json.loads(path.read_bytes()))
        record = from_media(kind, media)
    except FileNotFoundError:
        return kind()
    except RecordError as error:
        raise StoreError(f"{path}: {error}; remedy: {error.remedy or _RESTORE}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{path}: {error}; remedy: {_RESTORE}") from error
    if newer := unknown_keys(media, record):
        raise StoreError(f"{path}: {', '.join(newer[:10])}: unknown; remedy: upgrade this program")
    return record


def utc_now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def who() -> str:
    """Return the user at work: the one who called sudo, or else the current user."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
