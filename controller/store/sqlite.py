"""The store in one SQLite file. Every call is one transaction; a full disk loses no accepted data."""

import json
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from controller.policy.model import Network
from controller.store import AcceptedPolicy, PoolSecret, StoreError, TokenRecord
from controller.suspicion.allow import Allowance
from controller.suspicion.codec import read_request, show_request
from controller.suspicion.decision import Decision
from controller.suspicion.scores import Offender

# `wish` keeps its old name: databases of earlier releases are read as they are.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS policies (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    accepted_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    file TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS drained (
    path TEXT PRIMARY KEY,
    since TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT;
CREATE TABLE IF NOT EXISTS network (
    number INTEGER PRIMARY KEY CHECK (number = 1),
    facts TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS decisions (
    number INTEGER PRIMARY KEY,
    since REAL NOT NULL,
    until REAL NOT NULL,
    wish TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS offenders (
    source TEXT PRIMARY KEY,
    offences INTEGER NOT NULL,
    until REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tokens (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    digest TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS pool_secrets (
    pool TEXT PRIMARY KEY,
    secret TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS antivirus_clients (
    key TEXT PRIMARY KEY,
    facts TEXT NOT NULL,
    server TEXT NOT NULL,
    heard TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS bridges (
    dpid TEXT PRIMARY KEY,
    facts TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS port_names (
    dpid TEXT PRIMARY KEY,
    names TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS allowances (
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    comment TEXT NOT NULL,
    since REAL NOT NULL,
    until REAL NOT NULL
) STRICT;
"""


def _connect(path: Path) -> sqlite3.Connection:
    """Return a connection to a database that has our tables. Raise `sqlite3.Error`."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        # A crash of the machine may lose the last changes, but never the file (SQLite's manual, WAL).
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class SqliteStore:
    """Raise `StoreError` when the file cannot be opened or written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # pools' secrets are in it; SQLite gives its other files the same mode
            path.chmod(0o600)
            self._connection = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"{path}: {error}; remedy: check the disk, or name another state directory"
            ) from error

    def last_policy(self) -> AcceptedPolicy | None:
        row = self._execute(
            "SELECT revision, file, text FROM policies ORDER BY revision DESC LIMIT 1"
        ).fetchone()
        return AcceptedPolicy(*row) if row else None

    def accept_policy(self, file: str, text: str) -> AcceptedPolicy:
        last = self.last_policy()
        if last and (last.file, last.text) == (file, text):
            return last
        cursor = self._execute("INSERT INTO policies (file, text) VALUES (?, ?)", file, text)
        assert cursor.lastrowid is not None
        return AcceptedPolicy(cursor.lastrowid, file, text)

    def drained(self) -> frozenset[str]:
        return frozenset(row[0] for row in self._execute("SELECT path FROM drained"))

    def set_drained(self, path: str, is_drained: bool) -> None:
        if is_drained:
            self._execute("INSERT OR IGNORE INTO drained (path) VALUES (?)", path)
        else:
            self._execute("DELETE FROM drained WHERE path = ?", path)

    def network(self) -> dict[str, Any] | None:
        row = self._execute("SELECT facts FROM network").fetchone()
        try:
            return dict(json.loads(row[0])) if row else None
        except (ValueError, TypeError) as error:
            raise StoreError(f"{self._path}: the state of members is not valid JSON: {error}") from error

    def put_network(self, facts: Mapping[str, Any]) -> None:
        self._execute("INSERT OR REPLACE INTO network VALUES (1, ?)", json.dumps(facts))

    def decisions(self) -> Iterator[Decision]:
        for number, since, until, request in self._execute(
            "SELECT number, since, until, wish FROM decisions"
        ):
            yield Decision(number, read_request(json.loads(request)), since, until)

    def change_decisions(self, put: Sequence[Decision], ended: Sequence[Decision]) -> None:
        rows = [(each.number, each.since, each.until, json.dumps(show_request(each.request))) for each in put]
        with self._transaction():
            self._connection.executemany("INSERT OR REPLACE INTO decisions VALUES (?, ?, ?, ?)", rows)
            gone = [(each.number,) for each in ended]
            self._connection.executemany("DELETE FROM decisions WHERE number = ?", gone)

    def offenders(self) -> Iterator[Offender]:
        for source, offences, until in self._execute("SELECT source, offences, until FROM offenders"):
            yield Offender(ip_network(source), offences, until)

    def change_offenders(self, put: Sequence[Offender], gone: Sequence[Network]) -> None:
        rows = [(str(each.source), each.offences, each.until) for each in put]
        with self._transaction():
            self._connection.executemany("INSERT OR REPLACE INTO offenders VALUES (?, ?, ?)", rows)
            forgotten = [(str(source),) for source in gone]
            self._connection.executemany("DELETE FROM offenders WHERE source = ?", forgotten)

    def allowances(self) -> Iterator[Allowance]:
        columns = "number, source, comment, since, until"
        for number, source, comment, since, until in self._execute(f"SELECT {columns} FROM allowances"):
            yield Allowance(number, ip_network(source), comment, since, until)

    def put_allowance(self, allowance: Allowance) -> None:
        values = (str(allowance.source), allowance.comment, allowance.since, allowance.until)
        self._execute("INSERT OR REPLACE INTO allowances VALUES (?, ?, ?, ?, ?)", allowance.number, *values)

    def delete_allowance(self, number: int) -> None:
        self._execute("DELETE FROM allowances WHERE number = ?", number)

    def antivirus_clients(self) -> Iterator[tuple[str, dict[str, Any], str, str]]:
        columns = "key, facts, server, heard"
        for key, facts, server, heard in self._execute(f"SELECT {columns} FROM antivirus_clients"):
            yield key, json.loads(facts), server, heard

    def put_antivirus_clients(self, rows: Sequence[tuple[str, Mapping[str, Any], str, str]]) -> None:
        put = [(key, json.dumps(facts), server, heard) for key, facts, server, heard in rows]
        with self._transaction():
            self._connection.executemany("INSERT OR REPLACE INTO antivirus_clients VALUES (?, ?, ?, ?)", put)

    def bridges(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for dpid, facts in self._execute("SELECT dpid, facts FROM bridges"):
            yield int(dpid, 16), json.loads(facts)

    def put_bridge(self, dpid: int, facts: Mapping[str, Any]) -> None:
        self._execute("INSERT OR REPLACE INTO bridges VALUES (?, ?)", f"{dpid:016x}", json.dumps(facts))

    def delete_bridge(self, dpid: int) -> None:
        self._execute("DELETE FROM bridges WHERE dpid = ?", f"{dpid:016x}")

    def port_names(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for dpid, names in self._execute("SELECT dpid, names FROM port_names"):
            yield int(dpid, 16), json.loads(names)

    def put_port_names(self, dpid: int, names: Mapping[str, Any]) -> None:
        self._execute("INSERT OR REPLACE INTO port_names VALUES (?, ?)", f"{dpid:016x}", json.dumps(names))

    def delete_port_names(self, dpid: int) -> None:
        self._execute("DELETE FROM port_names WHERE dpid = ?", f"{dpid:016x}")

    def pool_secret(self, pool: str) -> PoolSecret:
        drawn = secrets.token_hex(32)
        self._execute(
            "INSERT OR IGNORE INTO pool_secrets VALUES (?, ?, CAST(unixepoch() AS INTEGER))", pool, drawn
        )
        row = self._execute("SELECT secret, since FROM pool_secrets WHERE pool = ?", pool).fetchone()
        return PoolSecret(*row)

    def tokens(self) -> Iterator[TokenRecord]:
        return (TokenRecord(*row) for row in self._execute("SELECT name, role, digest FROM tokens"))

    def put_token(self, token: TokenRecord) -> None:
        values = (token.name, token.role, token.digest)
        self._execute("INSERT OR REPLACE INTO tokens VALUES (?, ?, ?)", *values)

    def delete_token(self, name: str) -> None:
        self._execute("DELETE FROM tokens WHERE name = ?", name)

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing. Raise `StoreError`."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}; remedy: {_remedy(error)}") from error

    def _execute(self, statement: str, *values: str | float) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: {error}; remedy: {_remedy(error)}") from error


def _remedy(error: sqlite3.Error) -> str:
    # Full, locked and read-only are operational errors; a damaged file is a plain `DatabaseError`.
    if isinstance(error, sqlite3.OperationalError):
        return "make room on the disk, end any other program that uses the file, and try again"
    return "move the file away and start the controller again; it no longer knows which members were drained"
