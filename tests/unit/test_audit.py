"""The audit: what becomes a row, how rows are put together, and that they stay few."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from fusefs.events import Event, Verdict
from tests.support.waiting import eventually
from venvjail.audit import store as audit_store
from venvjail.audit.programs import Program, Programs, ancestors, text
from venvjail.audit.recorder import Recorder
from venvjail.audit.refusal import Refusal
from venvjail.audit.sensitivity import Sensitivity
from venvjail.audit.store import Reader, Writer
from venvjail.config.sensitive import SENSITIVE
from venvjail.errors import UserError

HOME = "/home/alice"


class Heard:
    """An alarm that remembers."""

    def __init__(self) -> None:
        self.paths: list[tuple[str, bool]] = []

    def __call__(
        self, place: object, path: str, exists: bool, program: Program, known: Sensitivity
    ) -> None:
        self.paths.append((path, exists))


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "audit.sqlite")


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def recorder(database: str, heard: Heard) -> Iterator[Recorder]:
    programs = Programs(lambda _pid: "/usr/bin/prog")
    made = Recorder(database, HOME, programs, Sensitivity(SENSITIVE), heard)
    yield made
    made.close()


def event(
    path: str, verdict: Verdict = Verdict.HIDDEN, *, exists: bool = True, pid: int = 0
) -> Event:
    return Event("lookup", os.fsencode(path), verdict, pid or os.getpid(), 2, exists)


def rows(recorder: Recorder, database: str) -> list[Refusal]:
    trio.run(recorder.flush)
    return audit_store.read(database)


def test_looks_are_counted_not_repeated(recorder: Recorder, database: str) -> None:
    for _ in range(3):
        recorder.observe(event("home/docs"))
    [before] = rows(recorder, database)
    recorder.observe(event("home/docs"))
    [row] = rows(recorder, database)
    assert (before.count, row.count) == (3, 4)
    assert row.first == before.first < before.last < row.last
    assert row.path == f"{HOME}/docs"
    assert (row.exe, row.operation, row.verdict) == ("/usr/bin/prog", "lookup", "hidden")
    assert row.host_pid == os.getpid()
    assert "pytest" in row.command
    assert (row.sensitive, row.on_host) == ("", True)


def test_what_is_only_counted_is_written(recorder: Recorder, database: str) -> None:
    """Also by two processes of one program, and after a batch in which it was not met."""
    shell, here = os.getppid(), os.getpid()
    found = []
    for pids in ((here, shell, here), (here, here, shell, shell), (), (shell, here)):
        for pid in pids:
            recorder.observe(event("home/docs", pid=pid))
        [row] = rows(recorder, database)
        found.append((row.count, row.first < row.last))
    assert found == [(3, True), (7, True), (7, True), (9, True)]


def test_a_clock_that_was_set_back_between_two_batches(
    recorder: Recorder, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last time is when it happened last, as in what was noted for the first time."""
    now = time.time()
    monkeypatch.setattr("venvjail.audit.recorder.time.time", lambda: now)
    for path in ("home/docs", "home/docs"):
        recorder.observe(event(path))
    [before] = rows(recorder, database)
    monkeypatch.setattr("venvjail.audit.recorder.time.time", lambda: now - 3600)
    recorder.observe(event("home/docs"))
    [row] = rows(recorder, database)
    assert (before.last, row.last) == (now, now - 3600)


def test_what_the_host_has_removed_is_refused_no_more(recorder: Recorder, database: str) -> None:
    for exists in (True, True, False, False, True):
        recorder.observe(event("home/docs", exists=exists))
    [row] = rows(recorder, database)
    assert row.count == 3


def test_what_was_not_met_in_a_batch_is_forgotten(recorder: Recorder) -> None:
    for path in ("home/one", "home/two", "home/one"):
        recorder.observe(event(path))
    trio.run(recorder.flush)
    assert [path for _, _, path in recorder._noted] == [b"home/one"]
    trio.run(recorder.flush)
    assert not recorder._noted


def test_the_next_program_of_a_process_is_another_row(database: str, heard: Heard) -> None:
    """After execve(2), which keeps the pid."""
    runs = ["/usr/bin/first"]
    times = [0.0]
    programs = Programs(lambda _pid: runs[-1], clock=lambda: times[-1])
    recorder = Recorder(database, HOME, programs, Sensitivity(SENSITIVE), heard)
    for _ in range(2):
        recorder.observe(event("home/docs"))
    runs.append("/usr/bin/second")
    times.append(1.0)
    for _ in range(3):
        recorder.observe(event("home/docs"))
    assert {(row.exe, row.count) for row in rows(recorder, database)} == {
        ("/usr/bin/first", 2),
        ("/usr/bin/second", 3),
    }
    recorder.close()


def test_another_verdict_on_the_same_path_is_another_row(recorder: Recorder, database: str) -> None:
    """The policy may change between two requests."""
    for verdict in (Verdict.HIDDEN, Verdict.REDIRECTED, Verdict.HIDDEN):
        recorder.observe(event("home/docs", verdict))
    found = {(row.verdict, row.count) for row in rows(recorder, database)}
    assert found == {("hidden", 2), ("redirected", 1)}


def test_each_look_for_a_sensitive_place_alarms(recorder: Recorder, heard: Heard) -> None:
    for _ in range(3):
        recorder.observe(event("home/.ssh"))
    assert heard.paths == 3 * [(".ssh", True)]


def test_a_missing_name_counts_only_if_it_is_sensitive(
    recorder: Recorder, database: str, heard: Heard
) -> None:
    recorder.observe(event("home/.config/absent", exists=False))
    recorder.observe(event("home/.bitcoin", exists=False))
    [row] = rows(recorder, database)
    assert (row.path, row.sensitive, row.on_host) == (f"{HOME}/.bitcoin", "wallet", False)
    assert heard.paths == [(".bitcoin", False)]


def test_only_looks_for_what_is_hidden_alarm(recorder: Recorder, heard: Heard) -> None:
    recorder.observe(event("home/.ssh/known_hosts", Verdict.REDIRECTED))
    recorder.observe(event("home/docs"))
    recorder.observe(event("proc/kcore", Verdict.DENIED))
    assert heard.paths == []
    recorder.observe(event("home/.ssh"))
    assert heard.paths == [(".ssh", True)]


def test_bytes_that_are_no_text(recorder: Recorder, database: str) -> None:
    recorder.observe(event(os.fsdecode(b"home/\xff\x1b[2J")))
    [row] = rows(recorder, database)
    assert row.path == f"{HOME}/\\xff\x1b[2J"


def test_what_is_long_loses_its_middle() -> None:
    assert text(b"a" * 500 + b"b" * 500, 100) == "a" * 50 + "..." + "b" * 50


def test_a_flood_between_two_batches_is_bounded(recorder: Recorder) -> None:
    for number in range(20_000):
        recorder.observe(event(f"home/{number}"))
    recorder.observe(event("home/.ssh"))
    assert len(recorder._pending) == 5_001


def test_a_flood_does_not_wash_sensitive_rows_away(database: str) -> None:
    writer = Writer(database, row_limit=50)
    writer.write([_refusal("/home/alice/.ssh", "SSH keys", last=1.0)])
    for number in range(20):
        writer.write([_refusal(f"/x/{number}/{n}", "", last=10.0 + number) for n in range(20)])
    writer.close()
    kept = audit_store.read(database)
    assert len(kept) <= 60
    assert kept[-1].path == "/home/alice/.ssh"


def test_without_that_rule_it_would_be_washed_away(database: str) -> None:
    writer = Writer(database, row_limit=50)
    writer.write([_refusal("/home/alice/docs", "", last=1.0)])
    for number in range(20):
        writer.write([_refusal(f"/x/{number}/{n}", "", last=10.0 + number) for n in range(20)])
    writer.close()
    assert "/home/alice/docs" not in [row.path for row in audit_store.read(database)]


def test_a_batch_survives_a_crash(database: str) -> None:
    pid = os.fork()
    if pid == 0:
        Writer(database).write([_refusal("/home/alice/.ssh", "SSH keys", last=1.0)])
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    assert [row.path for row in audit_store.read(database)] == ["/home/alice/.ssh"]


def test_a_damaged_database_is_put_aside_by_the_writer(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    Path(database).write_bytes(b"no database\n" * 1000)
    with pytest.raises(UserError, match="the log cannot be used"), Reader(database) as reader:
        reader.rows()
    writer = Writer(database)
    writer.write([_refusal("/x", "", last=1.0)])
    writer.close()
    assert "is damaged" in caplog.text
    assert len(audit_store.read(database)) == 1
    assert Path(database + ".damaged").exists()


@pytest.fixture
def held(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """Somebody else's lock on a database with one row, which nobody waits long for."""
    monkeypatch.setattr(audit_store, "_BUSY_SECONDS", 0.01)
    writer = Writer(database)
    writer.write([_refusal("/first", "", last=1.0)])
    writer.close()
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


def test_what_cannot_be_written_now_is_written_later(
    database: str, held: sqlite3.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that is good, but not to be had, is neither put aside nor does it stop us."""
    writer = Writer(database)
    writer.write([_refusal("/second", "", last=2.0)])
    writer.write([_refusal("/third", "", last=3.0)])
    assert writer.problem == "database is locked"
    assert len(caplog.records) == 1  # not one for each batch of a long day
    held.execute("ROLLBACK")
    writer.write([_refusal("/fourth", "", last=4.0)])
    assert writer.problem is None
    writer.close()
    paths = [row.path for row in audit_store.read(database)]
    assert paths == ["/fourth", "/third", "/second", "/first"]
    assert not Path(database + ".damaged").exists()


def test_what_waits_is_bounded(database: str, held: sqlite3.Connection) -> None:
    writer = Writer(database, row_limit=50)
    for number in range(100):
        writer.write([_refusal(f"/x/{number}", "", last=float(number))])
    held.execute("ROLLBACK")
    writer.write([])
    writer.close()
    assert {row.path for row in audit_store.read(database)} >= {f"/x/{n}" for n in range(50, 100)}
    assert len(audit_store.read(database)) <= 51


def test_a_database_that_may_not_be_written(database: str) -> None:
    writer = Writer(database)
    writer.write([_refusal("/first", "", last=1.0)])
    writer.close()
    Path(database).chmod(0o400)
    writer = Writer(database)
    writer.write([_refusal("/second", "", last=2.0)])
    assert writer.problem is not None
    writer.close()
    assert not Path(database + ".damaged").exists()


def test_a_database_that_is_removed_while_it_is_open(database: str) -> None:
    writer = Writer(database)
    writer.write([_refusal("/first", "", last=1.0)])
    for suffix in ("", "-wal", "-shm"):
        os.unlink(database + suffix)
    writer.write([_refusal("/second", "", last=2.0)])
    writer.close()
    assert [row.path for row in audit_store.read(database)] == ["/second"]


def test_a_database_of_another_layout(database: str) -> None:
    with sqlite3.connect(database) as old:
        old.execute("CREATE TABLE refusal (exe TEXT)")
    old.close()
    assert audit_store.read(database) == []
    writer = Writer(database)
    writer.write([_refusal("/x", "", last=1.0)])
    writer.close()
    assert [row.path for row in audit_store.read(database)] == ["/x"]


def test_what_cannot_be_written_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "directory").mkdir()
    writer = Writer(str(tmp_path / "directory"))
    writer.write([_refusal("/x", "", last=1.0)])
    writer.close()
    assert "the audit cannot be written: unable to open" in caplog.text
    assert (tmp_path / "directory").is_dir(), "not put aside: it is not damaged"


def test_clearing(database: str) -> None:
    writer = Writer(database)
    writer.write([_refusal("/x", "", last=1.0)])
    with Reader(database) as reader:
        reader.clear()
        assert reader.rows() == []
    writer.close()


def test_no_database_has_no_rows(tmp_path: Path) -> None:
    assert audit_store.read(str(tmp_path / "none")) == []
    assert not (tmp_path / "none").exists()


def test_a_process_is_looked_at_once_for_many_events() -> None:
    looks: list[int] = []
    now = [0.0]

    def executable(pid: int) -> str:
        looks.append(pid)
        return "/usr/bin/prog"

    programs = Programs(executable, lambda: now[0])
    for _ in range(100):
        programs.of(os.getpid())
    assert looks == [os.getpid()]
    now[0] += 0.02  # its command line is the same: it has not called exec(2) since
    programs.of(os.getpid())
    assert len(looks) == 1
    before = programs.of(os.getpid())
    now[0] += 0.25
    assert programs.of(os.getpid()) is before  # so whoever kept it need not compare
    assert len(looks) == 2


def test_another_program_in_the_same_process_is_seen() -> None:
    now = [0.0]
    read, write = os.pipe()
    os.set_inheritable(read, True)
    pid = os.fork()
    if pid == 0:
        os.dup2(read, 0)
        os.close(write)
        os.execv("/bin/sh", ["sh", "-c", "read line; exec cat"])
    programs = Programs(executable_of, lambda: now[0])
    eventually(lambda: programs._look(pid, b"").exe.endswith("sh"), "sh")
    assert programs.of(pid).exe.endswith("sh")
    os.write(write, b"go\n")
    eventually(lambda: executable_of(pid).endswith("cat"), "cat")
    now[0] += 0.02
    assert programs.of(pid).exe.endswith("cat")
    os.close(write)
    os.close(read)
    os.waitpid(pid, 0)


def executable_of(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/exe")


def test_the_memory_of_processes_is_bounded() -> None:
    programs = Programs(lambda _pid: None, lambda: 0.0)
    for pid in range(2**22 + 1, 2**22 + 1000):  # beyond PID_MAX_LIMIT: nobody has these
        programs.of(pid)
    assert len(programs._seen) <= 256


@pytest.mark.parametrize("pid", [0, 2**22 + 1])
def test_a_process_that_nobody_sees(pid: int) -> None:
    asked: Callable[[int], str | None] = lambda _pid: None  # noqa: E731
    assert Programs(asked).of(pid) == Program("?", "?", pid, 0)


def test_ancestors_lead_to_the_parent() -> None:
    assert ancestors(os.getpid())[:2] == [os.getpid(), os.getppid()]


def _refusal(path: str, sensitive: str, *, last: float) -> Refusal:
    return Refusal("/bin/x", "lookup", path, "hidden", "x", 1, 2, sensitive, True, 1, last, last)
