"""The commands of `postern-av`: from parsed arguments to a result."""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from common.commands import Result
from common.exit_codes import ExitCode
from services.antivirus import signatures
from services.antivirus.builder import immunity
from services.antivirus.builder.corpus import CorpusError
from services.antivirus.builder.daemon import BuilderDaemon, WatchOptions
from services.antivirus.builder.immunity import NotImmunized
from services.antivirus.builder.mirror import NotMirrored, publish_official
from services.antivirus.builder.publisher import NotPublished, Publisher
from services.antivirus.builder.store import StoreError, utc_now, who
from services.antivirus.formats import RINGS
from services.antivirus.signatures import BadEntry, Entry, Kind
from services.antivirus.signing import SigningFailed
from services.base.daemon import run_daemon

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
    yield f"custom signatures: {len(store.entries())}"
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
        "the next generation will contain all custom signatures again; "
        "remove a bad one first: remove-signature",
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
    return _published(publish_official(publisher, parsed.source), False)


def watch(publisher: Publisher, parsed: argparse.Namespace) -> Result:
    options = WatchOptions(tuple(parsed.captures), parsed.mode, parsed.settings, parsed.mirror)
    code = run_daemon("postern-av", parsed, lambda journal: BuilderDaemon(publisher, options, journal))
    return Result({}, code=ExitCode(code))
