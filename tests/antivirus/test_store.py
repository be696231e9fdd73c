"""Files of the builder's store: what another release wrote, and what somebody damaged."""

import json
import re
from pathlib import Path

import pytest

from services.antivirus.agent.update import UpdateState, load_state, save_state
from services.antivirus.builder.store import Store, StoreError, StoreState
from services.antivirus.signatures import Entry, Kind

STATE = {"generation": 12, "serial": 57, "frozen": "false \U0001f600 positives"}
ENTRY = {
    "name": "Postern.Invoice.Trojan",
    "kind": "hash",
    "text": f"{'a' * 64}:68",
    "reason": "seen at acme",
    "added": "2026-01-01T00:00:00Z",
    "by": "root",
}


def put(store: Store, name: str, media: object) -> bytes:
    (store.root / name).write_text(json.dumps(media), encoding="utf-8")
    return (store.root / name).read_bytes()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_an_empty_store_begins_at_zero(store: Store) -> None:
    assert store.state() == StoreState()
    assert store.entries() == ()


def test_the_state_of_the_first_release_is_read_and_written_in_its_form(store: Store) -> None:
    before = put(store, "state.json", STATE)
    store.save_state(store.state())
    assert (store.root / "state.json").read_bytes() == before


def test_the_signatures_of_the_first_release_are_read_and_written_in_their_form(store: Store) -> None:
    put(store, "own.json", [ENTRY])
    assert store.entries() == (
        Entry(
            "Postern.Invoice.Trojan",
            Kind.HASH,
            f"{'a' * 64}:68",
            "seen at acme",
            "2026-01-01T00:00:00Z",
            "root",
        ),
    )
    store.save_entries(store.entries())
    assert (store.root / "own.json").read_text(encoding="utf-8") == json.dumps([ENTRY], indent=1)


@pytest.mark.parametrize(
    ("name", "media", "why"),
    [
        ("state.json", [], "an object is expected; remedy: restore"),
        ("state.json", {**STATE, "serial": "57"}, "serial: a whole number is expected; remedy: restore"),
        (
            "state.json",
            {**STATE, "generation": -1},
            "generation: -1 is outside 0..1099511627776; remedy: rest",
        ),
        ("state.json", {**STATE, "frozen": None}, "frozen: a string is expected; remedy: restore"),
        ("state.json", {**STATE, "format": 2}, "format: is 2, this program reads 1; remedy: upgrade"),
        ("state.json", {**STATE, "thawed_at": ""}, "thawed_at: unknown; remedy: upgrade this program"),
        ("own.json", {}, "entries: a list is expected; remedy: restore"),
        ("own.json", [7], "entries[0]: an object is expected; remedy: restore"),
        (
            "own.json",
            [ENTRY, {**ENTRY, "kind": "magic"}],
            "entries[1].kind: unknown value 'magic'; allowed: hash",
        ),
        ("own.json", [{**ENTRY, "by": 0}], "entries[0].by: a string is expected; remedy: restore"),
        ("own.json", [{"name": "x"}], "entries[0].kind: is missing; entries[0].text: is missing"),
        ("own.json", [{**ENTRY, "expires": ""}], "entries[0].expires: unknown; remedy: upgrade this program"),
    ],
)
def test_a_damaged_or_newer_file_is_named_with_its_key_and_stays_as_it_is(
    store: Store, name: str, media: object, why: str
) -> None:
    before = put(store, name, media)
    with pytest.raises(StoreError, match=re.escape(f"{store.root / name}: {why}")):
        store.entries() if name == "own.json" else store.next_serial()
    assert (store.root / name).read_bytes() == before


@pytest.mark.parametrize(
    "text", [b"", b'{"generation": 1', b"\xff", b"[" * 50_000], ids=["", "cut", "bytes", "deep"]
)
def test_what_is_no_json_is_named_with_a_remedy(store: Store, text: bytes) -> None:
    (store.root / "state.json").write_bytes(text)
    with pytest.raises(StoreError, match=r"state\.json: .*; remedy: restore it from a backup"):
        store.state()


def test_the_state_of_an_agent_survives_and_keys_of_a_newer_release_are_ignored(tmp_path: Path) -> None:
    state = UpdateState("0123456789abcdef", 57, 12, "2026-01-01T00:00:00Z")
    save_state(tmp_path, state)
    assert load_state(tmp_path) == state
    written = json.loads((tmp_path / "state.json").read_bytes())
    (tmp_path / "state.json").write_text(json.dumps({**written, "mood": "good"}), encoding="utf-8")
    assert load_state(tmp_path) == state


@pytest.mark.parametrize(
    "damage", [{"serial": "57"}, {"generation": -1}, {"client": None}, {"installed_at": 7}]
)
def test_an_agent_whose_state_is_damaged_starts_again_under_a_new_name(
    tmp_path: Path, damage: dict[str, object]
) -> None:
    (tmp_path / "state.json").write_text(
        json.dumps({"client": "0123", "serial": 57, **damage}), encoding="utf-8"
    )
    found = load_state(tmp_path)
    assert found == UpdateState(found.client)
    assert found.client != "0123"
