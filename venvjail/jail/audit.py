"""Supervisor (host's namespaces): the record of what jailed programs were refused.

One row for each (program, operation, path, verdict), with a count and the first and last time:
bounded, however often a program asks.  Rows are written in batches, so that the view never waits
for the disk, and at most a second is lost when the supervisor dies.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import trio

from fusefs.events import Event, Verdict
from venvjail.errors import UserError

log = logging.getLogger("venvjail.jail.audit")

_BATCH_SECONDS = 0.5
#: Different (program, operation, path, verdict) held between two batches; more are only counted.
_PENDING_LIMIT = 5_000
#: Rows kept on disk; the oldest go first.
_ROW_LIMIT = 50_000
_TEXT_LIMIT = 4_096

_SCHEMA = """
CREATE TABLE IF NOT EXISTS refusal (
    exe TEXT NOT NULL,
    operation TEXT NOT NULL,
    path TEXT NOT NULL,
    verdict TEXT NOT NULL,
    command TEXT NOT NULL,
    pid INTEGER NOT NULL,
    count INTEGER NOT NULL,
    first REAL NOT NULL,
    last REAL NOT NULL,
    PRIMARY KEY (exe, operation, path, verdict)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS refusal_last ON refusal (last);
"""

_UPSERT = """
INSERT INTO refusal
VALUES (:exe, :operation, :path, :verdict, :command, :pid, :count, :first, :last)
ON CONFLICT (exe, operation, path, verdict) DO UPDATE SET
    count = count + excluded.count, last = excluded.last,
    command = excluded.command, pid = excluded.pid
"""

_TRIM = """
DELETE FROM refusal WHERE (exe, operation, path, verdict) IN (
    SELECT exe, operation, path, verdict FROM refusal ORDER BY last DESC LIMIT -1 OFFSET ?
)
"""


@dataclass
class Refusal:
    """What one program was refused at one path; times are seconds since the epoch."""

    exe: str
    operation: str
    path: str
    verdict: str
    command: str
    pid: int
    count: int
    first: float
    last: float


_Key = tuple[str, str, str, str]


class Recorder:
    """Collects events of the view and writes them to the database at ``path``.

    ``executable`` tells which program a pid runs.
    """

    def __init__(self, path: str, home: str, executable: Callable[[int], str | None]) -> None:
        self._home = home
        self._executable = executable
        self._pending: dict[_Key, Refusal] = {}
        self._waiting = trio.Event()
        self._database = _open(path)

    def observe(self, event: Event) -> None:
        """Take note of one event; called by the view for each, so it touches no disk."""
        if event.verdict is Verdict.HIDDEN and not event.exists:
            return  # looked for, and the host has none either: nothing was refused
        exe = _text(os.fsencode(self._executable(event.pid) or "?"))
        key = (exe, event.operation, self._display(event.path), event.verdict.value)
        now = time.time()
        refusal = self._pending.get(key)
        if refusal is not None:
            refusal.count += 1
            refusal.last = now
        elif len(self._pending) < _PENDING_LIMIT:
            self._pending[key] = Refusal(*key, _command(event.pid), event.pid, 1, now, now)
            self._waiting.set()

    def _display(self, path: bytes) -> str:
        """``home/.ssh`` of the view as the jail spells it, ``/home/alice/.ssh``."""
        text = _text(path)
        if text == "home" or text.startswith("home/"):
            return self._home + text[len("home") :]
        return "/" + text

    async def write_batches(self) -> None:
        """Write what is pending, twice a second at most and never while nothing happens."""
        while True:
            await self._waiting.wait()
            self._waiting = trio.Event()
            self.flush()
            await trio.sleep(_BATCH_SECONDS)

    def flush(self) -> None:
        """Write what is pending; a database that cannot be written is logged, the view goes on."""
        rows = [vars(refusal) for refusal in self._pending.values()]
        self._pending = {}
        try:
            with self._database:
                self._database.executemany(_UPSERT, rows)
                self._database.execute(_TRIM, (_ROW_LIMIT,))
        except sqlite3.Error as error:
            log.error("the audit cannot be written: %s", error)

    def close(self) -> None:
        self.flush()
        self._database.close()


def read(path: str) -> Iterator[Refusal]:
    """All refusals, the newest first; none where no jail has run yet."""
    if not os.path.exists(path):
        return
    with contextlib.closing(_open(path)) as database:
        columns = "exe, operation, path, verdict, command, pid, count, first, last"
        for row in database.execute(f"SELECT {columns} FROM refusal ORDER BY last DESC"):
            yield Refusal(*row)


def _open(path: str) -> sqlite3.Connection:
    """The database at ``path``, made where it is missing; UserError where it is none."""
    try:
        return _prepared(sqlite3.connect(path, timeout=5))
    except sqlite3.Error as error:
        word = shlex.quote(path)
        raise UserError(
            f"{path}: the log cannot be used ({error}); move it away: mv {word} {word}.damaged"
        ) from error


def _prepared(database: sqlite3.Connection) -> sqlite3.Connection:
    # Readers do not block the writer, and a crash loses no committed batch; sqlite.org/wal.html.
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    # Not in /var/tmp, where the supervisor may not write.
    database.execute("PRAGMA temp_store = MEMORY")
    database.executescript(_SCHEMA)
    return database


def _command(pid: int) -> str:
    """The command line of a process, ``?`` for one that has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(_TEXT_LIMIT).split(b"\0")
    except OSError:
        return "?"
    return _text(b" ".join(words).strip())


def _text(raw: bytes) -> str:
    """For a database of UTF-8: undecodable bytes are shown as escapes."""
    return raw[:_TEXT_LIMIT].decode("utf-8", "backslashreplace")
