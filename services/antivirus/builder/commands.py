"""What `postern-av` does for each of its commands: from parsed arguments to an exit code."""

import argparse
import json
import signal
import threading
from dataclasses import asdict

from common.wire.antivirus import AntivirusSettings
from services.antivirus import signatures
from services.antivirus.builder import immunity, mirror
from services.antivirus.builder.automatic_immunity import Watch
from services.antivirus.builder.corpus import CorpusError
from services.antivirus.builder.immunity import NotImmunized
from services.antivirus.builder.mirror import NotMirrored
from services.antivirus.builder.publisher import NotPublished, Publisher
from services.antivirus.builder.store import StoreError, utc_now, who
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


def status(publisher: Publisher, parsed: argparse.Namespace) -> int:
    store = publisher.store
    pointers, frozen, entries = store.pointers(), store.state().frozen, store.entries()
    if parsed.json:
        rings = {name: asdict(ring) for name, ring in pointers.items()}
        facts = {"rings": rings, "generations": store.built(), "frozen": frozen, "own": len(entries)}
        print(json.dumps(facts))
        return 0
    if not pointers:
        print("nothing is published yet; try: postern av publish")
    for name, ring in pointers.items():
        why = store.manifest(ring.generation).why
        print(f"ring {name:<7} generation {ring.generation}  since {ring.changed}  {why}")
    print(f"signatures of our own: {len(entries)}")
    print(f"generations kept: {' '.join(map(str, store.built())) or 'none'}")
    if frozen:
        print(f"FROZEN: {frozen}")
    return 0


def publish(publisher: Publisher, parsed: argparse.Namespace) -> int:
    _say(publisher.publish(parsed.reason, at_once=parsed.at_once), parsed.at_once)
    return 0


def _say(number: int, is_for_all: bool) -> None:
    where = "everybody's" if is_for_all else "on ring canary; next: postern av promote"
    print(f"generation {number} is {where}")


def promote(publisher: Publisher, _parsed: argparse.Namespace) -> int:
    _say(publisher.promote(), True)
    return 0


def rollback(publisher: Publisher, parsed: argparse.Namespace) -> int:
    number = publisher.rollback(parsed.generation, parsed.ring)
    print(f"{f'ring {parsed.ring} is' if parsed.ring else 'all are'} back at generation {number}")
    print("what is published next holds all our signatures again; take a bad one out first: remove-signature")
    return 0


def freeze(publisher: Publisher, parsed: argparse.Namespace) -> int:
    publisher.freeze(parsed.reason)
    print("frozen; next: postern av unfreeze")
    return 0


def thaw(publisher: Publisher, _parsed: argparse.Namespace) -> int:
    publisher.thaw()
    print("signatures may be published again")
    return 0


def history(publisher: Publisher, parsed: argparse.Namespace) -> int:
    for line in publisher.store.history():
        if parsed.json:
            print(json.dumps(line))
            continue
        number = f"generation {line['generation']}: " if "generation" in line else ""
        what, by = str(line.get("what", "")), str(line.get("by", ""))
        print(f"{line.get('at')}  {by:<10} {what:<14} {number}{line.get('text', '')}")
    return 0


def add_signature(publisher: Publisher, parsed: argparse.Namespace) -> int:
    entry, samples = _entry(publisher, parsed)

    def with_it(before: tuple[Entry, ...]) -> tuple[Entry, ...]:
        if any(other.name == entry.name for other in before):
            raise BadEntry(f"there is a signature {entry.name} already; remedy: another name")
        return (*before, entry)

    why = f"{entry.name}: {parsed.reason}"
    _say(publisher.publish(why, with_it, at_once=parsed.at_once, samples=samples), parsed.at_once)
    return 0


def _entry(publisher: Publisher, parsed: argparse.Namespace) -> tuple[Entry, dict[str, bytes]]:
    """Return the signature that is asked for, and what it must find, where that is known."""
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


def remove_signature(publisher: Publisher, parsed: argparse.Namespace) -> int:
    def without_it(before: tuple[Entry, ...]) -> tuple[Entry, ...]:
        left = tuple(entry for entry in before if parsed.name not in (entry.name, entry.sha256))
        if left == before:
            some = ", ".join(entry.name for entry in before[-10:]) or "there is none"
            raise BadEntry(f"there is no signature {parsed.name}; the last ones: {some}")
        return left

    _say(publisher.publish(f"without {parsed.name}", without_it, at_once=parsed.at_once), parsed.at_once)
    return 0


def immunize(publisher: Publisher, parsed: argparse.Namespace) -> int:
    caught = immunity.caught_in(parsed.what, tuple(parsed.captures))
    fresh = immunity.guard(caught, publisher.corpus, publisher.store.entries())
    for each in fresh:
        print(f"{each.name}  {each.sha256}  {each.what}")
    if not fresh:
        print("everybody finds it already")
    elif parsed.simulate:
        print("simulated: nothing was published")
    else:
        _say(immunity.immunize(publisher, fresh, f"immunized by {who()}"), True)
    return 0


def mirror_official(publisher: Publisher, parsed: argparse.Namespace) -> int:
    with publisher.store.locked():
        source = parsed.source or publisher.store.root / "cvdupdate"
        if parsed.source is None:
            mirror.fetch(source)
        versions = mirror.take(publisher.store, source)
    why = "ClamAV's " + ", ".join(f"{name} {version}" for name, version in versions.items())
    _say(publisher.publish(why), False)
    return 0


def watch(publisher: Publisher, parsed: argparse.Namespace) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    publisher.store.prepare()
    watch = Watch(publisher, tuple(parsed.captures), parsed.mode, publisher.tell)
    mirrored = 0.0
    policy = WatchedFile(parsed.settings) if parsed.settings else None
    publisher.tell(f"watching what decoys catch: {watch.mode}")
    while not stop.wait(_LOOK_EVERY_S):
        if policy and policy.has_changed():
            _follow(policy, watch)
        watch.look()
        mirrored -= _LOOK_EVERY_S
        if parsed.mirror and mirrored <= 0:
            mirrored = _MIRROR_EVERY_S
            try:
                mirror_official(publisher, argparse.Namespace(source=None))
            except REFUSALS as error:
                publisher.tell(f"not mirrored: {error}")
    return 0


def _follow(policy: WatchedFile, watch: Watch) -> None:
    """Do as the policy says from now on; a settings file that is bad changes nothing."""
    try:
        mode = read_settings(AntivirusSettings, policy.read()).record.immunity
    except (OSError, UnicodeDecodeError, SettingsError) as error:
        watch.tell(f"{policy.path}: {error}; we go on with {watch.mode}")
        return
    if mode is not watch.mode:
        watch.tell(f"what decoys catch: {mode}, no longer {watch.mode}")
        watch.mode = mode
