"""A server's own copy of what the builder publishes: verified and switched atomically, or left unchanged.

www/generations/00000012/    files, as the builder made them
www/rings/all -> .57         ring.json, its signature, and `database`: the files for freshclam, with times
"""

import hashlib
import os
import shutil
import time
from pathlib import Path

from common.wire.generations import Manifest, RingTarget
from services.antivirus.formats import (
    LARGEST_DOCUMENT_BYTES,
    MANIFEST,
    RING,
    RINGS,
    SIGNATURE_SUFFIX,
    Malformed,
    directory_of,
    generation_comment,
    parse_manifest,
    parse_ring,
    ring_comment,
)
from services.antivirus.signing import BadSignature, SigningFailed, verify
from services.base.files import point, remove_tree, sha256_of, sync_tree

_AHEAD_S = 60
_KEPT = 10


class NotCopied(Exception):
    """What was published cannot be copied, and our copy stays; the text says why."""


class Replica:
    def __init__(self, source: Path, www: Path, public_key: Path) -> None:
        self._source, self._www, self._key = source, www, public_key
        self.rings: dict[str, RingTarget] = {}
        self.documents: dict[str, bytes] = {}  # ring.json unchanged, by ring
        self._seen: dict[str, tuple[int, int]] = {}

    def load(self) -> None:
        """Continue with the existing copy."""
        for directory in ("generations", "rings"):
            (self._www / directory).mkdir(parents=True, exist_ok=True)
        for name in RINGS:
            try:
                document = (self._www / "rings" / name / RING).read_bytes()
                self.rings[name], self.documents[name] = parse_ring(document), document
            except (OSError, Malformed):
                continue

    def has_changed(self) -> bool:
        """Return whether the builder has published something that was not examined yet."""
        return any(self._facts(name) != self._seen.get(name) for name in RINGS)

    def take_over(self) -> list[str]:
        """Update every ring; return those that changed. Raise `NotCopied`, after all were tried.

        A ring that failed is tried again the next time.
        """
        changed, problems = [], []
        for name in RINGS:
            facts = self._facts(name)
            if facts == self._seen.get(name):
                continue
            try:
                if facts != (0, 0) and self._take_over(name):
                    changed.append(name)
                self._seen[name] = facts
            except (NotCopied, OSError, Malformed, BadSignature, SigningFailed) as error:
                problems.append(f"ring {name}: {error}")
        if changed:
            self._forget_old()
        if problems:
            raise NotCopied("; ".join(problems))
        return changed

    def _facts(self, name: str) -> tuple[int, int]:
        try:
            found = (self._source / "rings" / name / RING).stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_ino

    def _take_over(self, name: str) -> bool:
        directory = self._source / "rings" / name
        document, signature = _read(directory / RING), _read(directory / (RING + SIGNATURE_SUFFIX))
        ring = parse_ring(document)
        verify(self._key, document, signature, ring_comment(ring.serial))
        known = self.rings.get(name)
        if known and ring.serial < known.serial:
            raise NotCopied(f"serial {ring.serial} is older than the current serial {known.serial}")
        if known and ring.serial == known.serial:
            return False
        manifest = self._copy_generation(ring)
        self._switch(name, ring, manifest, document, signature)
        self.rings[name], self.documents[name] = ring, document
        return True

    def _copy_generation(self, ring: RingTarget) -> Manifest:
        target = self._www / "generations" / directory_of(ring.generation)
        source = self._source / "generations" / directory_of(ring.generation)
        document, signature = _read(source / MANIFEST), _read(source / (MANIFEST + SIGNATURE_SUFFIX))
        if hashlib.sha256(document).hexdigest() != ring.manifest_sha256:
            raise NotCopied(
                f"the manifest of generation {ring.generation} is not the one that the ring refers to"
            )
        manifest = parse_manifest(document)
        verify(self._key, document, signature, generation_comment(ring.generation))
        if target.is_dir() and _read(target / MANIFEST) == document:
            return manifest
        beside = target.with_name(f".{target.name}.new")
        remove_tree(beside)
        try:
            beside.mkdir()
            for name in (MANIFEST, MANIFEST + SIGNATURE_SUFFIX, *(file.name for file in manifest.files)):
                shutil.copyfile(source / name, beside / name)
                (beside / name).chmod(0o644)
            _check(beside, manifest)
            sync_tree(beside)
            remove_tree(target)
            beside.rename(target)
        finally:
            remove_tree(beside)
        return manifest

    def _switch(
        self, name: str, ring: RingTarget, manifest: Manifest, document: bytes, signature: bytes
    ) -> None:
        rings = self._www / "rings"
        directory = rings / f".{ring.serial}"
        remove_tree(directory)
        directory.mkdir()
        (directory / RING).write_bytes(document)
        (directory / (RING + SIGNATURE_SUFFIX)).write_bytes(signature)
        self._lay_out(directory / "database", rings / name / "database", manifest)
        sync_tree(directory / "database")
        old = os.readlink(rings / name) if (rings / name).is_symlink() else ""
        point(rings / name, directory.name)
        if old and old != directory.name:
            remove_tree(rings / old)

    def _lay_out(self, database: Path, before: Path, manifest: Manifest) -> None:
        """Provide the files for freshclam, which downloads a file only if it is newer than its own copy.

        So a file that has changed, even back to an older one, gets a time in the future, by
        more than clocks differ. An unchanged file keeps its time.
        """
        at = int(time.time()) + _AHEAD_S
        database.mkdir()
        for file in manifest.files:
            whole = self._www / "generations" / directory_of(manifest.generation) / file.name
            known, mine = before / file.name, database / file.name
            if file.signed_by == "clamav":  # has its own version number
                mine.symlink_to(os.path.relpath(whole, database.resolve()))
                continue
            shutil.copyfile(whole, mine)
            is_known = known.is_file() and sha256_of(known) == file.sha256
            when = known.stat().st_mtime if is_known else at
            os.utime(mine, (when, when))

    def _forget_old(self) -> None:
        wanted = {directory_of(ring.generation) for ring in self.rings.values()}
        there = sorted((self._www / "generations").glob("[0-9]*"))
        for path in there[:-_KEPT]:
            if path.name not in wanted:
                remove_tree(path)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST_DOCUMENT_BYTES + 1)


def _check(directory: Path, manifest: Manifest) -> None:
    for file in manifest.files:
        path = directory / file.name
        if path.stat().st_size != file.bytes or sha256_of(path) != file.sha256:
            raise NotCopied(
                f"{file.name} of generation {manifest.generation} does not match the signed manifest"
            )
