"""The file system under home, store and project fails: a FUSE one that returns errors on demand.

Programs get the error as they would without a jail; what has been written stays; the jail serves
again as soon as the disk does.  And the kernel, which drops mounts when such a file system cannot
tell whether a name is still the same, opens nothing.
"""

import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.faulty_disk import ERRORS, FLUSHING, READING, WRITING, FaultyDisk
from tests.support.home import SECRET, FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.processes import Process
from tests.support.running import WAITER, everyone, said, started, supervisors
from tests.support.waiting import eventually


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultyDisk]:
    """Mounted at ``disk`` in the test's directory."""
    (tmp_path / "backing").mkdir()
    (tmp_path / "disk").mkdir()
    with FaultyDisk(tmp_path / "backing", tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def allowed(disk: FaultyDisk, tmp_path: Path) -> Iterator[JailedVenv]:
    """The home is on a good disk, and an allowed directory of it on the failing one."""
    home = FakeHome(tmp_path / "home", runtime=tmp_path / "run")
    (tmp_path / "disk/notes").mkdir()
    (tmp_path / "disk/notes/todo").write_text("milk\n")
    (home.root / "notes").symlink_to(tmp_path / "disk/notes")
    home.write(".dirjailconfig", '[home]\nallow = ["notes"]\n').chmod(0o600)
    with JailedVenv(home) as venv:
        yield venv


#: Does what it is told by a line of JSON, and says how that ended: the result, or an errno's name.
OBEY = """
import errno, json, os, sys
os.chdir(os.path.expanduser("~"))
print("ready", flush=True)
for line in sys.stdin:
    try:
        result = eval(json.loads(line))
    except OSError as error:
        result = errno.errorcode[error.errno]
    print(json.dumps(result), flush=True)
"""


class Told:
    """A program in the jail, started before the disk fails, with the home as its directory."""

    def __init__(self, jail: JailedVenv) -> None:
        self._context = started(jail, "-c", OBEY)
        self.command = self._context.__enter__()
        assert said(self.command) == "ready\n"

    def __enter__(self) -> "Told":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.__exit__(None, None, None)

    def __call__(self, expression: str) -> object:
        """What the expression's value is in there."""
        assert self.command.stdin is not None
        self.command.stdin.write(json.dumps(expression) + "\n")
        self.command.stdin.flush()
        line = said(self.command)
        assert line, self.command.communicate()
        return json.loads(line)


@pytest.mark.parametrize("name", ["EIO", "EACCES"])
def test_reading_what_is_allowed(disk: FaultyDisk, allowed: JailedVenv, name: str) -> None:
    read, listing = "open('notes/todo').read()", "os.listdir('notes')"
    with Told(allowed) as told:
        assert told(read) == "milk\n"
        disk.fail(ERRORS[name], *READING)
        eventually(lambda: told(read) == name, "the failure is seen")
        assert told(listing) == name
        assert told("sorted(os.listdir('.'))[:2]") == [".bashrc", ".inputrc"]
        assert told("open('.bashrc').read(5)") == "alias"
        assert told("open('own', 'w').write('x')") == 1
        disk.work()
        eventually(lambda: told(read) == "milk\n", "it works again")
        assert told(listing) == ["todo"]
        assert (allowed.store / "own").read_text() == "x"


def test_a_listing_leaves_nothing_out(disk: FaultyDisk, allowed: JailedVenv) -> None:
    """Who copies or removes by a listing would take for whole what only lacks a file."""
    with Told(allowed) as told:
        assert told("os.listdir('notes')") == ["todo"]
        disk.fail(ERRORS["EIO"], "lookup", "getattr")
        seen = []

        def fails() -> bool:
            seen.append(told("os.listdir('notes')"))
            return seen[-1] == "EIO"

        eventually(fails, "the failure is seen")
        assert [] not in seen
        disk.work()
        eventually(lambda: told("os.listdir('notes')") == ["todo"], "it works again")


@pytest.fixture
def stored(disk: FaultyDisk, tmp_path: Path) -> Iterator[JailedVenv]:
    """Home, store and project are on the failing disk."""
    home = FakeHome(tmp_path / "disk/home", runtime=tmp_path / "run")
    with JailedVenv(home) as venv:
        yield venv
        disk.work()


@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EDQUOT", "EROFS"])
def test_writing_to_the_store(disk: FaultyDisk, stored: JailedVenv, name: str) -> None:
    with Told(stored) as told:
        assert told("open('kept', 'w').write('before')") == 6
        disk.fail(ERRORS[name], *WRITING)
        for failing in (
            "open('new', 'w')",
            "os.mkdir('directory')",
            "os.symlink('x', 'link')",
            "os.rename('kept', 'other')",
            "os.unlink('kept')",
            "os.pwrite(os.open('kept', os.O_WRONLY), b'after', 0)",
        ):
            assert told(failing) == name, failing
        assert told("open('kept').read()") == "before"
        disk.work()
        assert told("open('new', 'w').write('after')") == 5
        assert told("sorted(os.listdir('.'))[3:]") == ["kept", "new", "src"]
    assert (stored.store / "kept").read_text() == "before"


def test_an_error_at_close_reaches_the_program(disk: FaultyDisk, stored: JailedVenv) -> None:
    """Where a network file system says that a write was lost."""
    with Told(stored) as told:
        assert isinstance(
            told("globals().update(fd=os.open('f', os.O_CREAT | os.O_RDWR)) or fd"), int
        )
        assert told("os.write(fd, b'text')") == 4
        disk.fail(ERRORS["EIO"], *FLUSHING)
        assert told("os.fsync(fd)") == "EIO"
        assert told("os.close(fd)") == "EIO"
        disk.work()
        assert told("open('f').read()") == "text"


@pytest.mark.parametrize(
    ("name", "operations"),
    [
        ("EIO", ("write", "create")),
        ("ENOSPC", ("write", "create", "mkdir", "mknod", "symlink")),
        ("EIO", ("unlink", "rename")),
        ("EIO", ("read",)),
        ("EROFS", WRITING),
    ],
)
def test_a_start_on_a_failing_disk(
    disk: FaultyDisk, stored: JailedVenv, name: str, operations: tuple[str, ...]
) -> None:
    """It runs in a jail, or does not run, and one line says why; afterwards all is well."""
    stored.python("open('/tmp/mine', 'w').write('x')")
    stored.stop()
    time.sleep(1)  # the kernel trusts for so long what the disk said before
    disk.fail(ERRORS[name], *operations)
    code = "import os; print(os.environ['VENVJAIL'], os.path.exists(os.path.expanduser('~/.ssh')))"
    done = stored.home.run(["/usr/bin/env", stored.bin / "python", "-c", code], cwd=Path("/"))
    disk.work()
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout
    if done.returncode == 0:
        assert done.stdout == f"{stored.env} False\n"
    else:
        assert done.returncode in (2, 125, 126)
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
    stored.stop()
    assert stored.python("print(open('/tmp/mine').read())") == "x"
    assert (stored.home.project / "main.py").exists()


#: Looks for the real home as fast as it can; says what it saw, once each.
WATCH = """
import errno, os
home, seen = os.environ["HOME"], set()
print("ready", flush=True)
while True:
    try:
        found = "hidden"
        if os.path.exists(home + "/docs"):
            found = open(home + "/docs/letter.txt").read()
    except OSError as error:
        found = errno.errorcode[error.errno]
    if found not in seen:
        seen.add(found)
        print(found, flush=True)
"""


def test_mounts_that_the_kernel_drops_open_nothing(disk: FaultyDisk, stored: JailedVenv) -> None:
    """A lookup that fails takes what is mounted below with it: the view, the guards, venv/bin."""
    with started(stored, "-c", WATCH) as watch:
        assert said(watch) == "ready\n"
        assert said(watch) == "hidden\n"
        others = everyone(stored)
        disk.fail(ERRORS["EIO"], "lookup")
        assert watch.wait(timeout=20) == -signal.SIGKILL
        disk.work()
        out, errors = watch.communicate()
        assert SECRET not in out
        assert "an error of the file system took the mount away that covered" in errors
    _all_end(others)
    assert stored.python("import os; print(sorted(os.listdir(os.path.expanduser('~'))))") == (
        "['.bashrc', '.inputrc', '.profile', 'src']"
    )


@pytest.fixture
def doomed(disk: FaultyDisk, tmp_path: Path) -> Iterator[JailedVenv]:
    """As ``stored``, for a disk that goes: what is below it cannot be looked at afterwards."""
    venv = JailedVenv(FakeHome(tmp_path / "disk/home", runtime=tmp_path / "run"))
    venv.python("pass")
    tmp = venv.tmp
    yield venv
    shutil.rmtree(tmp)


def test_the_disk_goes_for_good(disk: FaultyDisk, doomed: JailedVenv) -> None:
    """Its server dies, as when a network share or an encrypted home is gone."""
    with Told(doomed) as told:
        others = everyone(doomed)
        assert told("open('before', 'w').write('x')") == 1
        disk.die()
        assert told("open('after', 'w')") in ("ENOTCONN", "ECONNABORTED")
        assert told("os.path.exists('.ssh')") is False
        done = doomed.home.run([*VENVJAIL, "status", doomed.env], cwd=Path("/"))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        others[0].kill(signal.SIGTERM)
        assert told.command.wait(timeout=20) == -signal.SIGKILL
    _all_end(others)
    assert supervisors(doomed) == []


def test_the_home_is_unmounted_lazily(disk: FaultyDisk, doomed: JailedVenv) -> None:
    """What runs keeps what it has, as without a jail; no new command finds the venv."""
    with Told(doomed) as told:
        others = everyone(doomed)
        disk.unmount()
        assert told("open('.bashrc').read(5)") == "alias"
        assert told("open('after', 'w').write('y')") == 1
        assert told("os.path.exists('.ssh')") is False
        done = doomed.home.run([*VENVJAIL, "status", doomed.env], cwd=Path("/"))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        others[0].kill(signal.SIGTERM)
    _all_end(others)


@pytest.mark.parametrize("operations", [("read",), FLUSHING])
def test_commands_about_a_venv_that_cannot_be_read(
    disk: FaultyDisk, stored: JailedVenv, operations: tuple[str, ...]
) -> None:
    stored.state.joinpath("state.json").touch()  # so that the kernel reads it anew
    disk.fail(ERRORS["EIO"], *operations)
    done = stored.home.run([*VENVJAIL, "status", stored.env], cwd=Path("/"))
    assert done.returncode == 2
    assert done.stderr == f"venvjail: {stored.paths.record}: Input/output error\n"


def test_waiting_commands_and_a_failing_disk(disk: FaultyDisk, stored: JailedVenv) -> None:
    """One that only waits goes on: nothing of it has failed."""
    with started(stored, "-c", WAITER) as waiter:
        assert said(waiter).startswith("ready")
        disk.fail(ERRORS["EIO"], "read", *WRITING)
        disk.work()
        assert waiter.communicate("\n", timeout=20) == ("", "")


def _all_end(processes: list[Process]) -> None:
    deadline = time.monotonic() + 20
    for process in processes:
        assert process.ended(deadline), f"still running: {process}"
        process.close()
