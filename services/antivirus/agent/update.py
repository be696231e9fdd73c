"""One update: fetched, verified, tested, and only then installed. After any failure the old files stay."""

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

from common.apparmor import unconfined
from common.wire.codec import RecordError, Versioned, load, to_media
from common.wire.generations import GenerationFile, Manifest, RingTarget
from common.wire.values import Count
from services.antivirus.agent.download import FetchConnection, Fetcher, UpdateNotFetched
from services.antivirus.agent.verification import Clamd, NotProven, prove_files
from services.antivirus.formats import (
    LARGEST_DOCUMENT_BYTES,
    MANIFEST,
    OWN_FILES,
    RING,
    SIGNATURE_SUFFIX,
    Malformed,
    directory_of,
    generation_comment,
    parse_manifest,
    parse_ring,
    ring_comment,
)
from services.antivirus.signing import BadSignature, SigningFailed, verify
from services.base.files import remove_tree, remove_unfinished, sha256_of, write_whole

_LARGEST_OWN_BYTES = 64 * 1024**2
_FRESHCLAM_WITHIN_S = 1_800.0


class NotUpdated(Exception):
    """The client keeps its old signatures; the text says why.

    `serial` is not 0 if trying the same serial again would not help.
    """

    def __init__(self, why: str, serial: int = 0) -> None:
        super().__init__(why)
        self.serial = serial


@dataclass(frozen=True, slots=True)
class UpdateState(Versioned):
    """The saved state of an agent. `serial`: the highest that it has ever accepted."""

    client: str
    serial: Count = 0
    generation: Count = 0
    installed_at: str = ""


def load_state(directory: Path) -> UpdateState:
    """Return the saved state. Without one, the client starts again with a new random name.

    Keys of a newer release are ignored, so that an agent that returns to this release still knows the highest
    serial.
    """
    try:
        return load(UpdateState, (directory / "state.json").read_bytes()).record
    except (OSError, RecordError):
        return UpdateState(secrets.token_hex(8))


def save_state(directory: Path, state: UpdateState) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    write_whole(directory / "state.json", json.dumps(to_media(state)).encode())


@dataclass(frozen=True, slots=True)
class UpdatePaths:
    """`database`: ClamAV's directory, which also holds files of others. `work`: our own directory."""

    database: Path
    work: Path
    public_key: Path
    freshclam: Path | None = None  # freshclam's configuration


def update(fetcher: Fetcher, places: UpdatePaths, state: UpdateState, clamd: Clamd | None) -> UpdateState:
    """Update the client to its ring's generation; return the new state. Raise `NotUpdated`."""
    staging = places.work / "staging"
    serial = 0
    try:
        remove_tree(staging)
        staging.mkdir(parents=True)
        remove_unfinished(places.database, OWN_FILES)
        with fetcher.conversation() as said:
            ring = _ring(said, places.public_key)
            if ring.serial < state.serial:
                raise NotUpdated(
                    f"serial {ring.serial} is older than the current serial {state.serial}", ring.serial
                )
            serial = ring.serial
            manifest = _manifest(said, places.public_key, ring)
            own = [file for file in manifest.files if file.name in OWN_FILES]
            for file in own:
                _stage(said, file, manifest, places.database, staging)
        prove_files(staging, manifest.marker, manifest.generation)
        if clamd is not None:
            clamd.check_room()
        _fetch_official(manifest, places)
        for file in own:
            _install(staging / file.name, places.database / file.name)
        if clamd is not None:
            clamd.use(manifest.marker, manifest.generation)
        done = replace(
            state, serial=ring.serial, generation=ring.generation,
            installed_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        )  # fmt: skip
        save_state(places.work, done)
        return done
    except (BadSignature, Malformed) as error:
        raise NotUpdated(str(error), serial) from error
    except (UpdateNotFetched, NotProven, SigningFailed, OSError) as error:
        raise NotUpdated(str(error)) from error
    finally:
        remove_tree(staging)


def _ring(said: FetchConnection, key: Path) -> RingTarget:
    document = said.get(f"/{RING}", LARGEST_DOCUMENT_BYTES)
    signature = said.get(f"/{RING}{SIGNATURE_SUFFIX}", LARGEST_DOCUMENT_BYTES)
    ring = parse_ring(document)
    verify(key, document, signature, ring_comment(ring.serial))
    return ring


def _manifest(said: FetchConnection, key: Path, ring: RingTarget) -> Manifest:
    path = f"/generations/{directory_of(ring.generation)}/{MANIFEST}"
    document = said.get(path, LARGEST_DOCUMENT_BYTES)
    if hashlib.sha256(document).hexdigest() != ring.manifest_sha256:
        raise UpdateNotFetched(f"{path}: is not the manifest that the ring refers to")
    signature = said.get(f"{path}{SIGNATURE_SUFFIX}", LARGEST_DOCUMENT_BYTES)
    verify(key, document, signature, generation_comment(ring.generation))
    return parse_manifest(document)


def _stage(
    said: FetchConnection, file: GenerationFile, manifest: Manifest, database: Path, staging: Path
) -> None:
    """Put a file into the staging directory: a copy of the installed one if it is the same, else fetch it."""
    installed, target = database / file.name, staging / file.name
    if installed.is_file() and sha256_of(installed) == file.sha256:
        shutil.copyfile(installed, target)
        return
    if file.bytes > _LARGEST_OWN_BYTES:
        raise UpdateNotFetched(f"{file.name}: larger than {_LARGEST_OWN_BYTES} bytes")
    path = f"/generations/{directory_of(manifest.generation)}/{file.name}"
    data = _grown(said, path, file, installed)
    if not _is_right(data, file):
        data = said.get(path, file.bytes)
    if not _is_right(data, file):
        raise UpdateNotFetched(f"{file.name}: does not match the signed manifest")
    target.write_bytes(data)


def _grown(said: FetchConnection, path: str, file: GenerationFile, installed: Path) -> bytes:
    """Return the installed file with the new part appended: most updates only add signatures."""
    try:
        old = installed.read_bytes()
    except OSError:
        return b""
    if not 0 < len(old) < file.bytes:
        return b""
    return old + said.get_from(path, len(old), file.bytes - len(old))


def _is_right(data: bytes, file: GenerationFile) -> bool:
    return len(data) == file.bytes and hashlib.sha256(data).hexdigest() == file.sha256


def _install(staged: Path, target: Path) -> None:
    """Install a file atomically. If the disk is full, the old file stays."""
    write_whole(target, staged.read_bytes())


def _fetch_official(manifest: Manifest, places: UpdatePaths) -> None:
    """Run freshclam if ClamAV's own databases are missing. freshclam verifies them itself."""
    wanted = [file for file in manifest.files if file.signed_by == "clamav" and file.name.endswith(".cvd")]
    if places.freshclam is None or all(_is_there(file, places.database) for file in wanted):
        return
    try:
        command = ["freshclam", "--quiet"]
        command += [f"--config-file={places.freshclam}", f"--datadir={places.database}"]
        done = subprocess.run(
            command if _is_debians(places.freshclam, places.database) else unconfined(command),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_FRESHCLAM_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UpdateNotFetched(f"freshclam did not finish within {_FRESHCLAM_WITHIN_S:.0f} s") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise UpdateNotFetched(f"freshclam: {said[-1][:200] if said else f'exit code {done.returncode}'}")


def _is_debians(configuration: Path, database: Path) -> bool:
    """Return whether these are the paths that freshclam's AppArmor profile allows."""
    return (str(configuration), str(database)) == ("/etc/clamav/freshclam.conf", "/var/lib/clamav")


def _is_there(file: GenerationFile, database: Path) -> bool:
    path = database / file.name
    return path.is_file() and path.stat().st_size == file.bytes and os.access(path, os.R_OK)
