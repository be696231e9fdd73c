"""The commands of `postern-av`: from parsed arguments to a result."""

import argparse
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from common.commands import Result
from common.wire.antivirus import AntivirusSettings
from services.antivirus import signatures
from services.antivirus.builder import immunity, mirror
from services.antivirus.builder.automatic_immunity import Watch
from services.antivirus.builder.corpus import CorpusError
from services.antivirus.builder.immunity import NotImmunized
from services.antivirus.builder.mirror import NotMirrored
from services.antivirus.builder.publisher import NotPublished, Publisher
from services.antivirus.builder.store import StoreError, utc_now, who
from services.antivirus.formats import RINGS
from services.antivirus.signatures import BadEntry, Entry, Kind
from services.antivirus.signing import SigningFailed
from services.base.settings import SettingsError, read_settings
from services.base.watched import WatchedFile

_LOOK_EVERY_S = 1.0
_MIRROR_EVERY_S = 3_600.0
REFUSALS = (
    NotPublished,
    StoreError,
    CorpusError,
    NotImmunized,
    NotMirrored,
    BadEntry,
    SigningFailed,
    OSError,
)


def status(publisher: Publisher, _parsed: argparse.Namespace) -> Result:
    store = publisher.store
    rings = {name: asdict(ring) for name, ring in store.pointers().items()}
    facts = {
        "rings": rings,
        "generations": store.built(),
        "frozen": store.state().frozen,
        "own": len(store.entries()),
    }
    return Result(facts, list(_status_lines(publisher)))


def _status_lines(publisher: Publisher) -> Iterator[str]:
    store = publisher.store
    if not store.pointers():
        yield "nothing is published yet; try: postern av publish"
    for name, ring in store.pointers().items():
        why = store.manifest(ring.generation).why
        yield f"ring {name:<7} generation {ring.generation}  since {ring.changed}  {why}"
    yield f"signatures of our own: {len(store.entries())}"
    yield f"generations kept: {' '.join(map(str, store.built())) or 'none'}"
    if frozen := store.state().frozen:
        yield f"FROZEN: {frozen}"


def publish(publisher: Publisher, parsed: argparse.Namespace) -> Result:
    return _published(publisher.publish(parsed.reason, at_once=parsed.at_once), parsed.at_once)


def _published(number: int, is_for_all: bool) -> Result:
    where = "on all rings" if is_for_all else "on ring canary; next: postern av promote"
    facts = {"generation": number, "rings": list(RINGS) if is_for_all else [RINGS[0]]}
    return Result(facts, [f"generation {number} is {where}"])


def promote(publisher: Publisher, _parsed: argparse.Namespace) -> Result:
    return _published(publisher.promote(), True)


def rollback(publisher: Publisher, parsed: argparse.Namespace) -> Result:
    number = publisher.rollback(parsed.generation, parsed.ring)
    lines = [
        f"{f'ring {parsed.ring} is' if parsed.ring else 'all rings are'} back at generation {number}",
        "the next generation contains all our signatures again; remove a bad one first: remove-signature",
    ]
    return Result({"generation": number, "rings": [parsed.ring] if parsed.ring else list(RINGS)}, lines)


def freeze(publisher: Publisher, parsed: argparse.Namespace) -> Result:
    publisher.freeze(parsed.reason)
    return Result({"frozen": True}, ["frozen; next: postern av unfreeze"])


def thaw(publisher: Publisher, _parsed: argparse.Namespace) -> Result:
    publisher.thaw()
    return Result({"frozen": False}, ["signatures may be published again"])


def history(publisher: Publisher, _parsed: argparse.Namespace) -> Result:
    records = list(publisher.store.history())
    return Result(records, [_history_line(record) for record in records])


def _history_line(record: Mapping[str, object]) -> str:
    number = f"generation {record['generation']}: " if "generation" in record else ""
    what, by = str(record.get("what", "")), str(record.get("by", ""))
    return f"{record.get('at')}  {by:<10} {what:<14} {number}{record.get('text', '')}"


def add_signature(publisher: Publisher, parsed: argparse.Namespace) -> Result:
    entry, samples = _entry(publisher, parsed)

    def with_it(before: tuple[Entry, ...]) -> tuple[Entry, ...]:
        if any(other.name == entry.name for other in before):
            raise BadEntry(f"signature {entry.name} already exists; remedy: choose another name")
        return (*before, entry)

    why = f"{entry.name}: {parsed.reason}"
    number = publisher.publish(why, with_it, at_once=parsed.at_once, samples=samples)
    return _published(number, parsed.at_once)


def _entry(publisher: Publisher, parsed: argparse.Namespace) -> tuple[Entry, dict[str, bytes]]:
    """Return the requested signature, and a sample that it must detect, if that is known."""
    kind, name, samples = Kind.HASH, parsed.name, {}
    if parsed.hash:
        text = signatures.hash_text(parsed.hash)
    elif parsed.ndb:
        kind, text = Kind.PATTERN, signatures.pattern_text(parsed.ndb)
    elif parsed.yara:
        rule, text = signatures.yara_text(parsed.yara.read_text(encoding="utf-8"))
        return Entry(rule, Kind.YARA, text, parsed.reason, utc_now(), who()), {}
    else:
        caught = immunity.guard(immunity.caught_in(str(parsed.file), ()), publisher.corpus, ())
        if len(caught) != 1:
            raise BadEntry(f"{parsed.file}: a message with {len(caught)} attachments; remedy: immunize it")
        text = signatures.hash_text(f"{caught[0].sha256}:{len(caught[0].content)}")
        name = name or caught[0].name
        samples = {signatures.full_name(name): caught[0].content}
    if not name:
        raise BadEntry("the signature has no name; remedy: --name Invoice.Trojan")
    return Entry(signatures.full_name(name), kind, text, parsed.reason, utc_now(), who()), samples


def remove_signature(publisher: Publisher, parsed: argparse.Namespace) -> Result:
    def without_it(before: tuple[Entry, ...]) -> tuple[Entry, ...]:
        left = tuple(entry for entry in before if parsed.name not in (entry.name, entry.sha256))
        if left == before:
            some = ", ".join(entry.name for entry in before[-10:]) or "none"
            raise BadEntry(f"there is no signature {parsed.name}; the last ones: {some}")
        return left

    number = publisher.publish(f"without {parsed.name}", without_it, at_once=parsed.at_once)
    return _published(number, parsed.at_once)


def immunize(publisher: Publisher, parsed: argparse.Namespace) -> Result:
    caught = immunity.caught_in(parsed.what, tuple(parsed.captures))
    fresh = immunity.guard(caught, publisher.corpus, publisher.store.entries())
    found = [{"name": each.name, "sha256": each.sha256, "what": each.what} for each in fresh]
    lines = [f"{each.name}  {each.sha256}  {each.what}" for each in fresh]
    if not fresh:
        return Result({"signatures": found}, ["every client detects it already"])
    if parsed.simulate:
        return Result({"signatures": found}, [*lines, "simulated: nothing was published"])
    number = immunity.immunize(publisher, fresh, f"immunized by {who()}")
    return Result({"signatures": found, "generation": number}, [*lines, *_published(number, True).lines])


def mirror_official(publisher: Publisher, parsed: argparse.Namespace) -> Result:
    with publisher.store.locked():
        source = parsed.source or publisher.store.root / "cvdupdate"
        if parsed.source is None:
            mirror.fetch(source)
        versions = mirror.take(publisher.store, source)
    why = "ClamAV's " + ", ".join(f"{name} {version}" for name, version in versions.items())
    return _published(publisher.publish(why), False)


def watch(publisher: Publisher, parsed: argparse.Namespace) -> Result:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    publisher.store.prepare()
    watch = Watch(publisher, tuple(parsed.captures), parsed.mode, publisher.tell)
    mirrored = 0.0
    policy = WatchedFile(parsed.settings) if parsed.settings else None
    publisher.tell(f"watching captures of decoys: {watch.mode}")
    while not stop.wait(_LOOK_EVERY_S):
        if policy and policy.has_changed():
            _follow(policy, watch)
        watch.look()
        mirrored -= _LOOK_EVERY_S
        if parsed.mirror and mirrored <= 0:
            mirrored = _MIRROR_EVERY_S
            try:
                for line in mirror_official(publisher, argparse.Namespace(source=None)).lines:
                    publisher.tell(line)
            except REFUSALS as error:
                publisher.tell(f"mirroring failed: {error}")
    return Result({})


def _follow(policy: WatchedFile, watch: Watch) -> None:
    """Apply the policy's mode. A settings file with errors changes nothing."""
    try:
        loaded = read_settings(AntivirusSettings, policy.read())
    except (OSError, UnicodeDecodeError, SettingsError) as error:
        watch.tell(f"{policy.path}: {error}; the mode is still {watch.mode}")
        return
    mode = loaded.record.immunity
    if loaded.unknown_keys:
        watch.tell(f"{policy.path}: unknown keys of a newer controller: {', '.join(loaded.unknown_keys)}")
    if mode is not watch.mode:
        watch.tell(f"captures of decoys: {mode}, no longer {watch.mode}")
        watch.mode = mode
