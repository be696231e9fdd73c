"""The store in a file: what survives a restart, and what it says when the disk does not play along."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path

import pytest

from controller.store import StoreError
from controller.store.sqlite import SqliteStore
from controller.suspicion.scores import Offender


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "postern.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as opened:
        yield opened


def test_a_fresh_disk_has_no_policy_and_nobody_drained(store: SqliteStore) -> None:
    assert store.last_policy() is None
    assert store.drained() == frozenset()


def test_a_pools_secret_is_drawn_once(path: Path) -> None:
    with closing(SqliteStore(path)) as before:
        first, second = before.pool_secret("decoys"), before.pool_secret("others")
    assert first.secret != second.secret
    assert len(bytes.fromhex(first.secret)) == 32
    with closing(SqliteStore(path)) as after:
        assert after.pool_secret("decoys") == first


def test_revisions_count_from_one(store: SqliteStore) -> None:
    assert [store.accept_policy("p.yaml", text).revision for text in ("a", "b", "a")] == [1, 2, 3]


def test_the_same_text_again_keeps_its_revision(store: SqliteStore) -> None:
    first = store.accept_policy("p.yaml", "a")
    assert store.accept_policy("p.yaml", "a") == first


def test_the_same_text_from_another_file_is_a_new_revision(store: SqliteStore) -> None:
    store.accept_policy("p.yaml", "a")
    assert store.accept_policy("q.yaml", "a").revision == 2


def test_an_accepted_policy_survives_a_restart(path: Path) -> None:
    with closing(SqliteStore(path)) as before:
        accepted = before.accept_policy("p.yaml", "Zürich\n")
    with closing(SqliteStore(path)) as after:
        assert after.last_policy() == accepted
        assert after.accept_policy("p.yaml", "next").revision == 2


def test_an_accepted_policy_survives_a_controller_that_was_killed(path: Path, store: SqliteStore) -> None:
    accepted = store.accept_policy("p.yaml", "a")
    with closing(SqliteStore(path)) as beside_the_one_never_closed:
        assert beside_the_one_never_closed.last_policy() == accepted


def test_drained_members_survive_a_restart(path: Path) -> None:
    with closing(SqliteStore(path)) as before:
        for name in ("one", "two", "two"):
            before.set_drained(f"pools.proxies.members.{name}", True)
        before.set_drained("pools.proxies.members.one", False)
        before.set_drained("pools.proxies.members.never", False)
    with closing(SqliteStore(path)) as after:
        assert after.drained() == {"pools.proxies.members.two"}


def test_a_file_that_is_no_database_is_named_with_a_remedy(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is a letter, not a database\n" * 100)
    with pytest.raises(StoreError, match=r"postern\.db: file is not a database; remedy: check the disk"):
        SqliteStore(path)


def test_a_file_that_is_no_database_is_not_overwritten(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(letter := b"this is a letter, not a database\n" * 100)
    with pytest.raises(StoreError):
        SqliteStore(path)
    assert path.read_bytes() == letter


def test_a_database_with_damaged_pages_is_said_to_be_damaged(path: Path) -> None:
    with closing(SqliteStore(path)) as before:
        before.accept_policy("p.yaml", "text " * 20_000)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with (
        pytest.raises(StoreError, match=r"malformed.*remedy: .*move the file away"),
        closing(SqliteStore(path)) as damaged,
    ):
        damaged.last_policy()


def test_a_directory_that_cannot_be_made_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a directory should be", encoding="utf-8")
    with pytest.raises(StoreError, match="name another state directory"):
        SqliteStore(tmp_path / "state" / "postern.db")


def test_a_full_disk_loses_nothing_that_was_accepted(path: Path, store: SqliteStore) -> None:
    accepted = store.accept_policy("p.yaml", "a")
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="full; remedy: make room"):
        store.accept_policy("p.yaml", "long " * 20_000)
    assert store.last_policy() == accepted


def test_a_database_that_somebody_else_holds_is_an_error_and_not_a_crash(
    path: Path, store: SqliteStore
) -> None:
    store._connection.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="database is locked"):
            store.accept_policy("p.yaml", "a")
        other.execute("ROLLBACK")
    assert store.accept_policy("p.yaml", "a").revision == 1


def test_offenders_survive_a_restart_and_can_be_forgotten(path: Path) -> None:
    some = [Offender(ip_network("198.51.100.66"), 3, 17.5), Offender(ip_network("2001:db8::/64"), 1, 0.0)]
    with closing(SqliteStore(path)) as store:
        store.change_offenders(some, [])
    with closing(SqliteStore(path)) as store:
        assert sorted(store.offenders(), key=str) == sorted(some, key=str)
        store.change_offenders([], [some[0].source])
        assert list(store.offenders()) == [some[1]]


def test_the_state_of_the_network_that_was_stored_last_outlives_a_restart(path: Path) -> None:
    with closing(SqliteStore(path)) as before:
        assert before.network() is None
        for number in (4, 5):
            before.put_network({"format": 1, "ports": [{"switch": "s1", "port": number}]})
    with closing(SqliteStore(path)) as after:
        assert after.network() == {"format": 1, "ports": [{"switch": "s1", "port": 5}]}


@pytest.mark.parametrize("text", ["{", "[1]", "3"])
def test_a_state_of_the_network_that_is_not_an_object_is_an_error_of_the_store(path: Path, text: str) -> None:
    with closing(SqliteStore(path)), closing(sqlite3.connect(path)) as other:
        other.execute("INSERT INTO network VALUES (1, ?)", (text,))
        other.commit()
    with closing(SqliteStore(path)) as store, pytest.raises(StoreError, match="is not valid JSON"):
        store.network()


def test_names_of_ports_are_remembered_across_a_crash_and_forgotten_with_their_switch(
    path: Path, store: SqliteStore
) -> None:
    largest = (1 << 64) - 1
    store.put_port_names(largest, {"4": "eth4"})
    store.put_port_names(largest, {"4": "eth5"})
    with closing(SqliteStore(path)) as again:
        assert list(again.port_names()) == [(largest, {"4": "eth5"})]
    store.delete_port_names(largest)
    assert list(store.port_names()) == []


def test_a_bridge_is_remembered_across_a_crash_and_forgotten_when_it_is_deleted(
    path: Path, store: SqliteStore
) -> None:
    largest = (1 << 64) - 1
    store.put_bridge(largest, {"row": "b1"})
    store.put_bridge(largest, {"row": "b2"})
    with closing(SqliteStore(path)) as again:
        assert list(again.bridges()) == [(largest, {"row": "b2"})]
    store.delete_bridge(largest)
    assert list(store.bridges()) == []
