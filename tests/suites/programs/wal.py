"""Several processes write and read one SQLite database with a write-ahead log, and one is killed.

Usage: ``python wal.py``, in the directory of the database.  Prints ``NAME OUTCOME`` for each check.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable

WRITERS, READERS, ROWS = 3, 2, 60


def connect() -> sqlite3.Connection:
    return sqlite3.connect("database", timeout=60, isolation_level=None)


def write(number: int) -> None:
    """Each transaction adds a row and counts it."""
    database = connect()
    for row in range(ROWS):
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO rows VALUES (?, ?, ?)", (number, row, "x" * 500))
        database.execute("UPDATE total SET count = count + 1")
        database.execute("COMMIT")
    database.close()


def read(number: int) -> None:
    """Whatever a reader sees is a state between two transactions, never one before the last."""
    database = connect()
    last = -1
    while last < WRITERS * ROWS:
        database.execute("BEGIN")
        (counted,) = database.execute("SELECT count(*) FROM rows").fetchone()
        (total,) = database.execute("SELECT count FROM total").fetchone()
        database.execute("COMMIT")
        assert counted == total >= last, (counted, total, last)
        last = total
    database.close()


def die(number: int) -> None:
    """In the midst of a transaction."""
    database = connect()
    database.execute("PRAGMA cache_size = 1")  # so that pages of it are in the log already
    database.execute("BEGIN IMMEDIATE")
    for row in range(100):
        database.execute("INSERT INTO rows VALUES (?, ?, ?)", (number, row, "y" * 5000))
    os.kill(os.getpid(), signal.SIGKILL)


def start(work: Callable[[int], None], number: int) -> int:
    if pid := os.fork():
        return pid
    status = 1
    try:
        work(number)
        status = 0
    finally:
        sys.stderr.flush()
        os._exit(status)


def finish(pid: int) -> str:
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return {0: "ok", -signal.SIGKILL: "killed"}.get(status, f"status {status}")


def answer(name: str, outcome: object) -> None:
    print(name, outcome, flush=True)


def main() -> None:
    database = connect()
    (mode,) = database.execute("PRAGMA journal_mode = WAL").fetchone()
    answer("journal-mode", mode)
    database.execute("CREATE TABLE rows (writer, row, text)")
    database.execute("CREATE TABLE total AS SELECT 0 AS count")
    database.close()
    works = [(write, number) for number in range(WRITERS)]
    works += [(read, number) for number in range(READERS)]
    pids = {start(work, number): f"{work.__name__}-{number}" for work, number in works}
    for pid, name in pids.items():
        answer(name, finish(pid))
    answer("die", finish(start(die, WRITERS)))
    database = connect()
    answer("rows", database.execute("SELECT count(*) FROM rows").fetchone()[0])
    answer("integrity", database.execute("PRAGMA integrity_check").fetchone()[0])
    answer("checkpoint", database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
    answer("vacuum", len(database.execute("VACUUM").fetchall()))
    for mode in ("DELETE", "PERSIST", "TRUNCATE"):
        database.execute(f"PRAGMA journal_mode = {mode}")
        database.execute("UPDATE total SET count = count + 1")
    database.close()
    answer("files", ",".join(sorted(os.listdir("."))))


main()
