"""The builder with a real clamd as its canary: everything or nothing, and always a way back."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from cli.main import main as postern
from common.journal.events import Event
from common.wire.antivirus import Immunity
from services.antivirus.builder import immunity
from services.antivirus.builder.automatic_immunity import Watch
from services.antivirus.builder.corpus import CLEAN
from services.antivirus.builder.immunity import NotImmunized
from services.antivirus.builder.main import main
from services.antivirus.builder.publisher import NotPublished, Publisher
from services.antivirus.builder.store import Store, StoreError
from services.antivirus.formats import generation_comment, parse_manifest, ring_comment
from services.antivirus.signatures import Entry, Kind
from services.antivirus.signing import verify
from tests.antivirus.conftest import await_that, put_settings

pytestmark = pytest.mark.programs

BUILDER = "services.antivirus.builder.main"
CLEAN_FILE = CLEAN / "letter.txt"
CLEAN_HASH = hashlib.sha256(CLEAN_FILE.read_bytes()).hexdigest()
EMPTY_HASH = hashlib.sha256(b"").hexdigest()


def entry(name: str, kind: Kind, text: str) -> Entry:
    return Entry(name, kind, text, "a test", "2026-01-01T00:00:00Z", "tester")


def av(store: Store, *arguments: str) -> int:
    return main(["--store", str(store.root), *arguments])


def generations(publisher: Publisher) -> dict[str, int]:
    return {name: ring.generation for name, ring in publisher.store.pointers().items()}


def assert_whole(store: Store) -> None:
    """Whatever rings point to is complete, and signed."""
    for name, ring in store.pointers().items():
        directory = store.rings / name
        document = (directory / "ring.json").read_bytes()
        verify(
            store.public_key,
            document,
            (directory / "ring.json.minisig").read_bytes(),
            ring_comment(ring.serial),
        )
        built = store.directory(ring.generation)
        manifest_bytes = (built / "manifest.json").read_bytes()
        signature = (built / "manifest.json.minisig").read_bytes()
        verify(store.public_key, manifest_bytes, signature, generation_comment(ring.generation))
        for file in parse_manifest(manifest_bytes).files:
            assert hashlib.sha256((built / file.name).read_bytes()).hexdigest() == file.sha256


def test_the_first_generation_is_everybodys(publisher: Publisher) -> None:
    publisher.publish("the first")
    assert generations(publisher) == {"canary": 1, "all": 1}
    assert_whole(publisher.store)


def test_a_further_one_is_on_ring_canary_until_it_is_promoted(publisher: Publisher) -> None:
    publisher.publish("the first")
    publisher.publish("the second")
    assert generations(publisher) == {"canary": 2, "all": 1}
    publisher.promote()
    assert generations(publisher) == {"canary": 2, "all": 2}
    assert_whole(publisher.store)


def test_a_rollback_takes_everybody_back_with_serials_that_still_grow(publisher: Publisher) -> None:
    publisher.publish("the first")
    publisher.publish("the second", at_once=True)
    before = max(ring.serial for ring in publisher.store.pointers().values())
    assert publisher.rollback() == 1
    assert generations(publisher) == {"canary": 1, "all": 1}
    assert min(ring.serial for ring in publisher.store.pointers().values()) > before


def test_a_rollback_to_what_is_not_there_says_what_is(publisher: Publisher) -> None:
    publisher.publish("the first")
    with pytest.raises(NotPublished, match="generation 7 does not exist; available: 1"):
        publisher.rollback(7)


def test_a_rollback_before_the_first_generation_changes_nothing(publisher: Publisher) -> None:
    publisher.publish("the first")
    with pytest.raises(NotPublished, match="before 1 does not exist"):
        publisher.rollback()


def test_what_is_frozen_is_not_published_but_may_be_taken_back(publisher: Publisher) -> None:
    publisher.publish("the first")
    publisher.publish("the second")
    publisher.freeze("an incident")
    with pytest.raises(NotPublished, match="frozen: an incident; remedy: postern av unfreeze"):
        publisher.publish("the third")
    with pytest.raises(NotPublished, match="frozen"):
        publisher.promote()
    publisher.rollback()
    publisher.thaw()
    publisher.publish("the third")


def test_nothing_to_promote_is_said(publisher: Publisher) -> None:
    publisher.publish("the first")
    with pytest.raises(NotPublished, match="all rings already have generation 1"):
        publisher.promote()


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (entry("Postern.Bad", Kind.PATTERN, f"0:*:{b'Dear Sir or Madam'.hex()}"), "letter.txt is clean, but"),
        (entry("Postern.Bad", Kind.PATTERN, "0:*:zz"), "cannot load the signatures"),
        (entry("Bad", Kind.YARA, 'rule Bad { strings: $a = "x condition: $a }\n'), "rejects generation 2"),
        (
            entry("Postern.Bad", Kind.HASH, f"{CLEAN_HASH}:*"),
            "rejects",
        ),
    ],
    ids=["finds a clean file", "a pattern that is none", "a rule that is none", "a malformed hash"],
)
def test_what_the_canary_refuses_nobody_gets(publisher: Publisher, bad: Entry, why: str) -> None:
    publisher.publish("the first")
    with pytest.raises(NotPublished, match=why):
        publisher.publish("a bad one", lambda before: (*before, bad))
    assert generations(publisher) == {"canary": 1, "all": 1}
    assert publisher.store.entries() == ()
    assert publisher.store.built() == [1]
    assert publisher.store.history()[-1]["what"] == "refused"


def test_a_sample_that_its_signature_does_not_find_stops_the_generation(publisher: Publisher) -> None:
    with pytest.raises(NotPublished, match=r"Postern\.Other is not detected"):
        publisher.publish("wrong", samples={"Postern.Other": b"something else"})
    assert publisher.store.pointers() == {}


def test_the_last_ten_generations_are_kept_and_those_in_use(publisher: Publisher) -> None:
    for _ in range(13):
        publisher.publish("one of many")
    assert publisher.store.built() == [1, *range(4, 14)]


def test_a_ring_that_is_damaged_is_named_and_replaced_as_the_remedy_says(publisher: Publisher) -> None:
    publisher.publish("the first")
    before = publisher.store.pointers()["all"].serial
    damaged = publisher.store.rings / "all" / "ring.json"
    damaged.write_text('{"ring": "all"', encoding="utf-8")
    with pytest.raises(
        StoreError, match=r"all: ring.json: not JSON.*; remedy: remove ring.json at the builder"
    ):
        publisher.publish("another")
    damaged.unlink()
    publisher.publish("another")
    assert publisher.store.pointers()["all"].serial > before
    assert_whole(publisher.store)


def test_two_publishers_never_meet(publisher: Publisher) -> None:
    publisher.publish("the first")
    with (
        publisher.store.locked(),
        pytest.raises(StoreError, match="is locked by another process; remedy: wait"),
    ):
        Publisher(publisher.store).publish("at the same time")


def test_a_publisher_that_is_killed_at_any_moment_leaves_what_was_published(
    publisher: Publisher, sample: Path
) -> None:
    publisher.publish("the first", at_once=True)
    command = [sys.executable, "-m", BUILDER, "--store", str(publisher.store.root), "publish", "--at-once"]
    quiet = subprocess.DEVNULL
    for number in range(8):
        process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
        time.sleep(random.uniform(0.1, 0.45))
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert_whole(publisher.store)
        before = publisher.store.pointers()["all"].serial
        publisher.publish(f"after the killed one {number}", at_once=True)
        assert publisher.store.pointers()["all"].serial > before
        assert not list(publisher.store.generations.glob(".new-*"))


def test_a_full_disk_leaves_the_last_generation_published(publisher: Publisher) -> None:
    publisher.publish("the first", at_once=True)
    before = publisher.store.pointers()
    command = [sys.executable, "-m", BUILDER, "--store", str(publisher.store.root), "publish"]
    done = subprocess.run(
        ["prlimit", "--fsize=100", *command],
        capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert publisher.store.pointers() == before
    assert_whole(publisher.store)
    assert publisher.publish("with room again") > 1


def test_a_file_becomes_a_signature_that_the_next_generation_has(publisher: Publisher, sample: Path) -> None:
    caught = immunity.caught_in(str(sample), ())
    immunity.immunize(publisher, caught, "a test")
    assert generations(publisher) == {"canary": 1, "all": 1}
    (made,) = publisher.store.entries()
    assert made.sha256 == hashlib.sha256(sample.read_bytes()).hexdigest()


def test_what_a_message_carries_becomes_signatures_but_not_its_text(sample: Path, tmp_path: Path) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@x.example", "b@y.example", "invoice"
    message.set_content("Please pay.\n")
    message.add_attachment(sample.read_bytes(), "application", "octet-stream", filename="invoice.exe")
    message.add_attachment("a,b\n1,2\n3,4\n5,6\n", "csv", filename="list.csv")
    saved = tmp_path / "message.eml"
    saved.write_bytes(message.as_bytes())
    assert [each.what for each in immunity.caught_in(str(saved), ())] == ["invoice.exe", "list.csv"]


def test_a_hash_alone_is_enough(
    publisher: Publisher, sample: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert av(publisher.store, "immunize", hashlib.sha256(sample.read_bytes()).hexdigest()) == 0
    assert av(publisher.store, "immunize", str(sample)) == 0
    assert capsys.readouterr().out.endswith("every client detects it already\n")


def test_nothing_that_is_clean_becomes_malware(publisher: Publisher) -> None:
    digest = hashlib.sha256(CLEAN_FILE.read_bytes()).hexdigest()
    for wanted in (digest, str(CLEAN_FILE)):
        with pytest.raises(NotImmunized, match=r"the clean file .*letter.txt"):
            immunity.guard(immunity.caught_in(wanted, ()), publisher.corpus, ())


def test_nothing_tiny_becomes_malware(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "tiny").write_bytes(b"MZ")
    with pytest.raises(NotImmunized, match="has only 2 bytes"):
        immunity.guard(immunity.caught_in(str(tmp_path / "tiny"), ()), publisher.corpus, ())


def test_only_so_many_in_an_hour(publisher: Publisher, sample: Path) -> None:
    one = entry("Postern.Caught.0", Kind.HASH, "0" * 64)
    many = tuple(replace(one, name=f"Postern.Caught.{number}") for number in range(immunity.MOST_IN_AN_HOUR))
    caught = immunity.caught_in(str(sample), ())
    at = 1_767_225_600.0  # 2026-01-01
    with pytest.raises(NotImmunized, match="60 signatures were made within the last hour"):
        immunity.guard(caught, publisher.corpus, many, at)
    assert immunity.guard(caught, publisher.corpus, many, at + 3_601) == caught


def test_a_simulation_publishes_nothing(publisher: Publisher, sample: Path) -> None:
    assert av(publisher.store, "immunize", str(sample), "--simulate") == 0
    assert publisher.store.pointers() == {}


def _ignore(_event: Event, /, **_facts: object) -> None:
    """A journal that keeps nothing."""


@pytest.mark.parametrize(
    ("mode", "generation"), [(Immunity.OFF, 0), (Immunity.SIMULATE, 0), (Immunity.ON, 1)]
)
def test_what_decoys_catch_becomes_signatures_where_that_is_wanted(
    publisher: Publisher, sample: Path, tmp_path: Path, mode: Immunity, generation: int
) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    caught = uploads / hashlib.sha256(sample.read_bytes()).hexdigest()
    caught.write_bytes(sample.read_bytes())
    (uploads / "notes.txt").write_text("not an upload", encoding="utf-8")
    watch = Watch(publisher, (uploads,), mode, _ignore)
    assert watch.look() == 0, "it may still be growing"
    os.utime(caught, (1.0, 1.0))
    assert (watch.look(), watch.look()) == (generation, 0)


def test_the_policy_says_what_becomes_of_what_decoys_catch(
    publisher: Publisher, sample: Path, tmp_path: Path
) -> None:
    uploads, settings = tmp_path / "uploads", tmp_path / "antivirus.json"
    uploads.mkdir()
    caught = uploads / hashlib.sha256(sample.read_bytes()).hexdigest()
    caught.write_bytes(sample.read_bytes())
    os.utime(caught, (1.0, 1.0))
    command = [sys.executable, "-m", BUILDER, "--store", str(publisher.store.root), "watch"]
    command += ["--captures", str(uploads), "--settings", str(settings)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            assert process.stdout
            lines = map(json.loads, process.stdout)
            assert (next(lines)["mode"], next(lines)["event"]) == ("simulate", "CapturesSimulated")
            put_settings(settings, immunity="rubbish")
            assert next(lines)["event"] == "SettingsRefused"
            put_settings(settings, immunity="on", mirrors=3)
            assert next(lines)["unknown_keys"] == ["mirrors"]
            changed = next(lines)
            assert (changed["event"], changed["mode"], changed["before"]) == ("ModeChanged", "on", "simulate")
            later = sample.read_bytes() + b"and more"
            caught = uploads / hashlib.sha256(later).hexdigest()
            caught.write_bytes(later)
            os.utime(caught, (1.0, 1.0))
            await_that(lambda: generations(publisher) == {"canary": 1, "all": 1}, "everybody gets it")
        finally:
            process.terminate()


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "main.cvd, daily.cvd is missing"),
        ({"main.cvd": b"", "daily.cvd": b""}, "daily.cvd"),
        ({"main.cvd": b"ClamAV-VDB:01 Jan 2026", "daily.cvd": b"ClamAV-VDB:cut"}, "daily.cvd"),
        ({"main.cvd": b"x" * 2_000, "daily.cvd": b"y" * 2_000}, "daily.cvd"),
    ],
    ids=["nothing", "empty", "cut short", "forged"],
)
def test_a_mirror_that_is_not_whole_and_signed_is_refused(
    publisher: Publisher,
    tmp_path: Path,
    files: dict[str, bytes],
    why: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    publisher.publish("the first")
    source = tmp_path / "mirror"
    source.mkdir()
    for name, data in files.items():
        (source / name).write_bytes(data)
    assert av(publisher.store, "mirror", "--from", str(source)) == 1
    assert why in capsys.readouterr().err
    assert not publisher.store.official.exists()
    assert generations(publisher) == {"canary": 1, "all": 1}


def test_postern_av_hands_everything_over_options_first(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTERN_AV_STORE", str(publisher.store.root))
    words = ["--ndb", "0:*:deadbeef00", "--name", "New", "--reason", "a test", "--at-once"]
    assert postern(["av", "add-signature", *words]) == 0
    assert generations(publisher) == {"canary": 1, "all": 1}
    assert [each.name for each in publisher.store.entries()] == ["Postern.New"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["add-signature", "--hash", "12", "--name", "x", "--reason", "r"], "is not a SHA-256"),
        (
            ["add-signature", "--hash", EMPTY_HASH, "--name", "x", "--reason", "r"],
            "empty file",
        ),
        (["add-signature", "--ndb", "0:*:x", "--name", "x", "--reason", "r"], "is not a valid pattern"),
        (["add-signature", "--ndb", "deadbeef00", "--reason", "r"], "has no name; remedy: --name"),
        (["add-signature", "--ndb", "deadbeef00", "--name", "a b", "--reason", "r"], "is not a valid name"),
        (
            ["add-signature", "--ndb", "deadbeef00", "--name", "Postern.Generation.1", "--reason", "r"],
            "is not a valid name",
        ),
        (["remove-signature", "Postern.None"], "there is no signature Postern.None"),
        (["immunize", "/nowhere"], "No such file or directory; remedy: give a SHA-256"),
        (["promote"], "nothing is published yet; remedy: postern av publish"),
        (["--clean", "/nowhere", "publish"], "/nowhere: no such directory"),
    ],
)
def test_a_bad_wish_is_refused_with_a_reason(
    publisher: Publisher, arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.publish("the first")
    publisher.store.state()
    if "promote" in arguments:
        publisher = Publisher(Store(publisher.store.root.with_name("empty")))
    assert av(publisher.store, *arguments) == 1
    assert why in capsys.readouterr().err


def test_status_and_history_are_for_programs_too(
    publisher: Publisher, capsys: pytest.CaptureFixture[str]
) -> None:
    publisher.publish("the first")
    assert av(publisher.store, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rings"]["all"]["generation"] == 1
    assert av(publisher.store, "history") == 0
    assert "generation 1: the first" in capsys.readouterr().out
