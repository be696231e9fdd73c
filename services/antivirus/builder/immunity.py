"""Turns a captured file into a signature for every client: by its hash, behind guards.

A hash matches exactly one content, so it cannot cause a false positive on other files.
But a wrong hash, of a file that every host has, would stop all mail. Hence the guards:
no tiny files, no huge files, no files of the clean corpus, and a limit per hour.
"""

import hashlib
import re
import time
from calendar import timegm
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from services.antivirus.builder.corpus import Corpus
from services.antivirus.builder.publisher import Publisher
from services.antivirus.builder.store import utc_now, who
from services.antivirus.signatures import BadEntry, Entry, Kind, full_name, hash_text

SMALLEST_BYTES = 16
LARGEST_BYTES = 64 * 1024**2
MOST_IN_AN_HOUR = 60
_HOUR_S = 3_600
_MOST_PARTS = 100
_MESSAGE = re.compile(rb"\A(?:[!-9;-~]{1,100}:[^\n]*\r?\n(?:[ \t][^\n]*\r?\n)*)+\r?\n")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


class NotImmunized(Exception):
    """No signature is made; the text says why, and gives a remedy."""


@dataclass(frozen=True, slots=True)
class Caught:
    """A file that must be detected from now on. `content` is empty if only the hash is known."""

    what: str
    sha256: str
    content: bytes = b""

    @property
    def name(self) -> str:
        return full_name(f"Caught.{self.sha256[:16]}")


def caught_in(wanted: str, captures: tuple[Path, ...]) -> tuple[Caught, ...]:
    """Return the files that a SHA-256, a path or a saved message refers to. Raise `NotImmunized`."""
    if _DIGEST.fullmatch(wanted):
        return (_by_hash(wanted.lower(), captures),)
    path = Path(wanted)
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise NotImmunized(f"{path}: larger than {LARGEST_BYTES} bytes; remedy: postern av add-signature")
        content = path.read_bytes()
    except OSError as error:
        raise NotImmunized(
            f"{path}: {error.strerror}; remedy: give a SHA-256, a file, or a saved message"
        ) from error
    if not _MESSAGE.match(content):
        return (_caught(path.name, content),)
    found = tuple(_attachments(content))
    if not found:
        raise NotImmunized(f"{path}: a message without attachments; remedy: postern av add-signature --ndb")
    return found


def _by_hash(digest: str, captures: tuple[Path, ...]) -> Caught:
    for directory in captures:
        path = directory / digest
        if path.is_file() and path.stat().st_size <= LARGEST_BYTES:
            return _caught(digest, path.read_bytes())
    return Caught(digest, digest)


def _caught(what: str, content: bytes) -> Caught:
    return Caught(what, hashlib.sha256(content).hexdigest(), content)


def _attachments(content: bytes) -> Iterator[Caught]:
    """Yield the attachments of a message."""
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    for number, part in enumerate(message.walk()):
        if number > _MOST_PARTS:
            return
        is_text = part.get_content_maintype() in ("text", "multipart", "message")
        payload = part.get_payload(decode=True) if not part.is_multipart() else None
        if isinstance(payload, bytes) and payload and (not is_text or part.get_filename()):
            yield _caught(part.get_filename() or f"part {number}", payload)


def guard(
    caught: tuple[Caught, ...], corpus: Corpus, entries: tuple[Entry, ...], now_s: float | None = None
) -> tuple[Caught, ...]:
    """Return those that need a signature. Raise `NotImmunized` if a signature would be wrong."""
    clean = corpus.hashes()
    known = {entry.sha256 for entry in entries}
    for each in caught:
        if each.sha256 in clean:
            raise NotImmunized(f"{each.what} is the clean file {clean[each.sha256]}")
        if each.content and len(each.content) < SMALLEST_BYTES:
            raise NotImmunized(
                f"{each.what} has only {len(each.content)} bytes, so harmless files may have the same content"
            )
    fresh = tuple(each for each in caught if each.sha256 not in known)
    lately = sum(1 for entry in entries if _is_recent(entry, time.time() if now_s is None else now_s))
    if lately + len(fresh) > MOST_IN_AN_HOUR:
        raise NotImmunized(
            f"{lately} signatures were made within the last hour; remedy: wait, or add-signature by hand"
        )
    return fresh


def _is_recent(entry: Entry, now_s: float) -> bool:
    try:
        added_s = timegm(time.strptime(entry.added, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        return False
    return ".Caught." in entry.name and abs(now_s - added_s) < _HOUR_S


def entries_for(caught: tuple[Caught, ...], reason: str) -> tuple[Entry, ...]:
    """Return the signatures that detect these files."""
    made = []
    for each in caught:
        size = f":{len(each.content)}" if each.content else ""
        try:
            text = hash_text(each.sha256 + size)
        except BadEntry as error:
            raise NotImmunized(str(error)) from error
        made.append(Entry(each.name, Kind.HASH, text, reason, utc_now(), who()))
    return tuple(made)


def immunize(publisher: Publisher, caught: tuple[Caught, ...], reason: str) -> int:
    """Publish signatures of these files on all rings; return the generation. Raises like `Publisher`."""
    made = entries_for(caught, reason)
    known = {entry.sha256 for entry in made}

    def with_them(before: tuple[Entry, ...]) -> tuple[Entry, ...]:
        return (*(entry for entry in before if entry.sha256 not in known), *made)

    why = f"{reason}: {', '.join(entry.name for entry in made)}"
    return publisher.publish(why, with_them, at_once=True, samples=samples_of(caught))


def samples_of(caught: tuple[Caught, ...]) -> Mapping[str, bytes]:
    """Return the samples that the canary must detect."""
    return {each.name: each.content for each in caught if each.content}
