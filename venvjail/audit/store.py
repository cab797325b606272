"""Supervisor and command line (host): the audit on disk, a SQLite database in the state directory.

One row for each (executable, operation, path, verdict), with a count and the first and last time,
so that it stays small however often a program asks.  In WAL mode readers do not wait for the
writer, and a crash of the writer loses no batch that it has committed; https://sqlite.org/wal.html.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import sqlite3
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from operator import attrgetter
from typing import Any

from venvjail.audit.refusal import Refusal
from venvjail.errors import UserError

log = logging.getLogger("venvjail.audit.recorder")

#: Rows kept on disk, each of 3 kB at most.  The oldest go first, and of what is not sensitive:
#: a program must not be able to wash its traces away by asking for many other things.
ROW_LIMIT = 20_000
_LAYOUT = 2
_BUSY_SECONDS = 5.0
_WAL_BYTES = 4 * 1024 * 1024


_NAMES = [field.name for field in fields(Refusal)]
_COLUMNS = ", ".join(_NAMES)
_KEY = "exe, operation, path, verdict"

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS refusal (
    exe TEXT NOT NULL,
    operation TEXT NOT NULL,
    path TEXT NOT NULL,
    verdict TEXT NOT NULL,
    command TEXT NOT NULL,
    pid INTEGER NOT NULL,
    host_pid INTEGER NOT NULL,
    sensitive TEXT NOT NULL,
    on_host INTEGER NOT NULL,
    count INTEGER NOT NULL,
    first REAL NOT NULL,
    last REAL NOT NULL,
    PRIMARY KEY ({_KEY})
) WITHOUT ROWID;
PRAGMA user_version = {_LAYOUT};
"""

_UPSERT = f"""
INSERT INTO refusal ({_COLUMNS}) VALUES ({", ".join("?" * len(_NAMES))})
ON CONFLICT ({_KEY}) DO UPDATE SET
    count = count + excluded.count, last = excluded.last, command = excluded.command,
    pid = excluded.pid, host_pid = excluded.host_pid,
    sensitive = excluded.sensitive, on_host = excluded.on_host
"""

_TRIM = f"""
DELETE FROM refusal WHERE ({_KEY}) IN (
    SELECT {_KEY} FROM refusal ORDER BY sensitive = '', last DESC LIMIT -1 OFFSET ?
)
"""


# Not dataclasses.astuple(), which makes deep copies: half of what a batch would cost.
_row: Callable[[Refusal], tuple[object, ...]] = attrgetter(*_NAMES)


class Writer:
    """The supervisor's connection, made when there is something to write.

    One thread at a time may use it.  A database that cannot be used now (a full disk, an I/O
    error, somebody's lock) is not given up: what is to be written waits, bounded, and is tried
    again with the next batch.  Only a file that is no database is put aside.
    """

    def __init__(self, path: str, row_limit: int = ROW_LIMIT) -> None:
        self._path = path
        self._row_limit = row_limit
        self._untrimmed = row_limit  # the first batch trims: the limit may have been another
        self._waiting: list[tuple[object, ...]] = []
        self._database: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self.problem: str | None = None
        """Why nothing is written at present."""

    def write(self, refusals: Iterable[Refusal]) -> None:
        """Add to what is there, in one transaction; a failure is logged, the jail goes on."""
        self._waiting += map(_row, refusals)
        if not self._waiting:
            return
        try:
            self._write()
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
        else:
            self.problem = None

    def _write(self) -> None:
        if self._database is None or _identity(self._path) != self._opened:
            self.close()  # SQLite goes on writing to a file that was removed or moved away
            self._database = _usable(self._path)
            self._opened = _identity(self._path)
        with self._database as database:
            database.executemany(_UPSERT, self._waiting)
            untrimmed = self._untrimmed + len(self._waiting)
            if untrimmed > self._row_limit // 10:
                database.execute(_TRIM, (self._row_limit,))
                untrimmed = 0
        self._untrimmed = untrimmed
        self._waiting = []

    def _failed(self, error: Exception) -> None:
        if str(error) != self.problem:  # else it has been logged: a full disk stays full for hours
            log.error("the audit cannot be written: %s", error)
        self.problem = str(error)
        del self._waiting[: -self._row_limit]
        self.close()

    def close(self) -> None:
        """Also folds the write-ahead log into the database."""
        database, self._database = self._database, None
        if database is not None:
            with contextlib.suppress(sqlite3.Error):
                database.close()


class Reader:
    """A connection of the command line; a missing database has no rows.

    Raises UserError where the file is no database.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._version = 0

    def __enter__(self) -> Reader:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _open(self) -> None:
        self._opened = _identity(self._path)
        if self._opened is not None:
            with self._sqlite():
                self._database = _open(self._path, "rw")

    def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def changed(self) -> bool:
        """Whether somebody wrote since this was asked last; the file may be another one now."""
        replaced = _identity(self._path) != self._opened
        if replaced:
            self._close()
            self._open()
        if self._database is None:
            return replaced
        with self._sqlite():
            # https://sqlite.org/pragma.html#pragma_data_version: of this connection.
            version = self._database.execute("PRAGMA data_version").fetchone()[0]
        former, self._version = self._version, version
        return replaced or version != former

    def rows(self, since: float = 0.0) -> list[Refusal]:
        """What happened last at ``since`` (seconds since the epoch) or later, the newest first."""
        if self._database is None:
            return []
        with self._sqlite():
            if self._database.execute("PRAGMA user_version").fetchone()[0] != _LAYOUT:
                return []  # by another version: the next start of the jail makes it anew
            statement = f"SELECT {_COLUMNS} FROM refusal WHERE last >= ? ORDER BY last DESC"
            return [_refusal(row) for row in self._database.execute(statement, (since,))]

    def clear(self) -> None:
        """Forget everything."""
        if self._database is not None:
            with self._sqlite():
                with self._database:
                    self._database.execute("DELETE FROM refusal")
                self._database.execute("VACUUM")

    @contextlib.contextmanager
    def _sqlite(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            word = shlex.quote(self._path)
            raise UserError(
                f"{self._path}: the log cannot be used ({error}); "
                f"move it away: mv {word} {word}.damaged"
            ) from error


def _refusal(row: tuple[Any, ...]) -> Refusal:
    refusal = Refusal(*row)
    refusal.on_host = bool(refusal.on_host)
    return refusal


def read(path: str, since: float = 0.0) -> list[Refusal]:
    """All refusals, the newest first; none where no jail has run yet."""
    with Reader(path) as reader:
        return reader.rows(since)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _usable(path: str) -> sqlite3.Connection:
    """The database, begun anew where the file is none.  Raises sqlite3.Error or OSError."""
    try:
        return _create(path)
    except sqlite3.OperationalError:
        raise  # of the disk, of rights or of locks: the file may be as good as ever
    except sqlite3.DatabaseError as error:
        log.error("%s is damaged (%s): put aside, and begun anew", path, error)
        _put_aside(path)
        return _create(path)


def _create(path: str) -> sqlite3.Connection:
    database = _open(path, "rwc")
    try:
        _prepare(database)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(database: sqlite3.Connection) -> None:
    database.execute("PRAGMA journal_mode = WAL")
    # An fsync at checkpoints only: a power cut may lose the last batches, a crash of ours none.
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
    if database.execute("PRAGMA user_version").fetchone()[0] != _LAYOUT:
        database.execute("DROP TABLE IF EXISTS refusal")
    database.executescript(_SCHEMA)


def _open(path: str, mode: str) -> sqlite3.Connection:
    uri = f"file:{urllib.parse.quote(os.fsencode(path))}?mode={mode}"
    # Batches are written by whichever worker thread is free.
    database = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)
    # Not in /var/tmp, where the supervisor may not write.
    database.execute("PRAGMA temp_store = MEMORY")
    return database


def _put_aside(path: str) -> None:
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + suffix)
    os.replace(path, path + ".damaged")
