"""Builds and tests generations, publishes them to one ring after the other, and rolls them back."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from common.wire.antivirus import Ring
from common.wire.generations import GenerationFile, Manifest, RingTarget
from services.antivirus import signatures, signing
from services.antivirus.builder import canary
from services.antivirus.builder.corpus import Corpus, CorpusError
from services.antivirus.builder.store import Store, StoreError, utc_now
from services.antivirus.formats import (
    MANIFEST,
    RING,
    RINGS,
    directory_of,
    encode,
    generation_comment,
    ring_comment,
)
from services.antivirus.signatures import Entry
from services.base.files import point, remove_tree, sha256_of, sync_tree

_KEPT = 10
_CANARY, _ALL = RINGS
Change = Callable[[tuple[Entry, ...]], tuple[Entry, ...]]


class NotPublished(Exception):
    """Nothing was published or changed; the text says why."""


def _same(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    return entries


def _nothing(_text: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Publisher:
    """Changes one store. Every method may raise `NotPublished` or `StoreError`, without effect on clients."""

    store: Store
    corpus: Corpus = field(default_factory=Corpus)
    tell: Callable[[str], None] = _nothing

    def publish(
        self,
        why: str,
        change: Change = _same,
        *,
        at_once: bool = False,
        samples: Mapping[str, bytes] | None = None,
    ) -> int:
        """Build a generation and give it to ring `canary`, or to all rings at once; return its number.

        `change` maps our own signatures to the new ones, which are kept only if the canary accepts them.
        """
        with self.store.locked():
            self._check_frozen()
            before = self.store.entries()
            wanted = change(before)
            number = self._build(wanted, why, samples or {})
            if wanted != before:
                self.store.save_entries(wanted)
            for ring in RINGS if at_once else (_CANARY,):
                self._point(ring, number)
            # The very first generation goes to all rings: no client has an older one.
            if _ALL not in self.store.pointers():
                self._point(_ALL, number)
            self.store.note("publish", why, generation=number, at_once=at_once)
            self._forget_old()
            return number

    def promote(self) -> int:
        """Give all rings the generation of ring `canary`; return its number."""
        with self.store.locked():
            self._check_frozen()
            pointers = self.store.pointers()
            if _CANARY not in pointers:
                raise NotPublished("nothing is published yet; remedy: postern av publish")
            number = pointers[_CANARY].generation
            if _ALL in pointers and pointers[_ALL].generation == number:
                raise NotPublished(f"all rings already have generation {number}")
            self._point(_ALL, number)
            self.store.note("promote", f"generation {number} to all rings", generation=number)
            return number

    def rollback(self, generation: int = 0, ring: str = "") -> int:
        """Roll rings back to a given generation, or to the one before the current; return its number."""
        with self.store.locked():
            pointers = self.store.pointers()
            if not pointers:
                raise NotPublished("nothing is published yet, so there is nothing to roll back")
            rings = (ring,) if ring else RINGS
            now = max(pointers[each].generation for each in rings if each in pointers)
            number = generation or max((each for each in self.store.built() if each < now), default=0)
            if number not in self.store.built():
                there = ", ".join(map(str, self.store.built()))
                raise NotPublished(
                    f"generation {number or 'before ' + str(now)} does not exist; available: {there}"
                )
            for each in rings:
                self._point(each, number)
            self.store.note(
                "rollback", f"{' and '.join(rings)} back to generation {number}", generation=number
            )
            return number

    def freeze(self, why: str) -> None:
        """Block publishing until `thaw`; a rollback is still possible."""
        with self.store.locked():
            self._save_frozen(why or "no reason given")
            self.store.note("freeze", why)

    def thaw(self) -> None:
        with self.store.locked():
            self._save_frozen("")
            self.store.note("unfreeze", "")

    def _save_frozen(self, why: str) -> None:
        self.store.save_state(replace(self.store.state(), frozen=why))

    def _check_frozen(self) -> None:
        if why := self.store.state().frozen:
            raise NotPublished(f"publishing is frozen: {why}; remedy: postern av unfreeze")

    def _build(self, entries: tuple[Entry, ...], why: str, samples: Mapping[str, bytes]) -> int:
        number = self.store.next_generation()
        beside = self.store.generations / f".new-{directory_of(number)}"
        try:
            beside.mkdir()
            manifest = self._fill(beside, number, entries, why)
            self.tell(f"generation {number}: {len(manifest.files)} files; testing with the canary")
            report = canary.try_out(beside, number, manifest.marker, self.corpus, samples)
            self.tell(
                f"generation {number} passed: {report.samples} samples detected, "
                f"{report.clean_files} clean files clean; "
                f"loaded in {report.loaded_s:.2f} s, {report.memory_mib} MiB"
            )
            self._sign(beside, manifest)
            for path in beside.iterdir():
                path.chmod(0o444)
            sync_tree(beside)
            beside.chmod(0o555)
            beside.rename(self.store.directory(number))
        except canary.Refused as error:
            self.store.note("refused", str(error), generation=number)
            raise NotPublished(
                f"the canary rejects generation {number}: {error}; no client got it"
            ) from error
        except (OSError, CorpusError, signing.SigningFailed) as error:
            raise NotPublished(f"generation {number} cannot be built: {error}; no client got it") from error
        finally:
            remove_tree(beside)
        return number

    def _fill(self, beside: Path, number: int, entries: tuple[Entry, ...], why: str) -> Manifest:
        marker = f"POSTERN-ANTIVIRUS-GENERATION-{directory_of(number)}-{secrets.token_hex(8)}"
        for name, data in signatures.databases(entries, self.corpus.base_lines(), number, marker).items():
            (beside / name).write_bytes(data)
        official = self._official()
        for path in official:
            _share(path, beside / path.name)
        signed_by_clamav = {path.name for path in official}
        files = tuple(
            GenerationFile(
                path.name,
                path.stat().st_size,
                sha256_of(path),
                "clamav" if path.name in signed_by_clamav else "postern",
            )
            for path in sorted(beside.iterdir())
        )
        previous = max(self.store.built(), default=0)
        return Manifest(number, previous, utc_now(), _printable(why), marker, files)

    def _official(self) -> list[Path]:
        directory = self.store.official
        return sorted(path for path in directory.iterdir() if path.is_file()) if directory.is_dir() else []

    def _sign(self, directory: Path, manifest: Manifest) -> None:
        (directory / MANIFEST).write_bytes(encode(manifest))
        signing.sign(self.store.secret_key, directory / MANIFEST, generation_comment(manifest.generation))

    def _point(self, ring: str, generation: int) -> None:
        """Sign a ring's new target beside the old one, then switch atomically."""
        serial = self.store.next_serial()
        manifest = (self.store.directory(generation) / MANIFEST).read_bytes()
        target = RingTarget(Ring(ring), serial, generation, hashlib.sha256(manifest).hexdigest(), utc_now())
        directory = self.store.rings / f".{serial}"
        remove_tree(directory)
        try:
            directory.mkdir()
            (directory / RING).write_bytes(encode(target))
            signing.sign(self.store.secret_key, directory / RING, ring_comment(serial))
            sync_tree(directory)
            old = os.readlink(self.store.rings / ring) if (self.store.rings / ring).is_symlink() else ""
            point(self.store.rings / ring, directory.name)
        except (OSError, signing.SigningFailed) as error:
            remove_tree(directory)
            raise StoreError(f"ring {ring} was not changed: {error}") from error
        if old:
            remove_tree(self.store.rings / old)

    def _forget_old(self) -> None:
        """Remove old generations. Keep the last ones, and every one that a ring points to."""
        wanted = {ring.generation for ring in self.store.pointers().values()}
        for number in self.store.built()[:-_KEPT]:
            if number not in wanted:
                remove_tree(self.store.directory(number))


def _share(source: Path, target: Path) -> None:
    """Copy a large file without copying its bytes, if the file system supports that."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:400]
