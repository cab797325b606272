"""The disk is full: a tmpfs of some megabytes with home, project, venv and store on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL
from tests.support.tmpfs import SmallDisk

MEBIBYTE = 1 << 20


class Full:
    """A venv on a small disk, and commands that run there."""

    def __init__(self, disk: SmallDisk, home: FakeHome) -> None:
        self.disk = disk
        self.env = home.env
        self.home = disk.mount_point / "home"
        self.project = self.home / "src/proj"
        self.venv = self.project / "venv"
        disk.run(["/bin/cp", "-a", home.root, disk.mount_point], self.env)
        self.env["HOME"] = str(self.home)
        self.venvjail("--without-pip", self.venv)

    def run(self, *argv: str | Path) -> tuple[int, str, str]:
        """Status, output and errors."""
        done = self.disk.run(argv, self.env, self.project)
        return done.returncode, done.stdout, done.stderr

    def venvjail(self, *argv: str | Path) -> str:
        """The output of ``venvjail ARGV``, whose status is 0."""
        status, out, errors = self.run(*VENVJAIL, *argv)
        assert status == 0, errors
        return out

    def python(self, code: str) -> tuple[int, str, str]:
        return self.run(self.venv / "bin/python", "-c", code)

    def fill(self) -> None:
        """Not a byte is left, nor an inode: tmpfs needs memory for each name."""
        filler = self.disk.path(self.home / "filler")
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError as error:
                assert error.strerror == "No space left on device"

    def empty(self) -> None:
        self.disk.path(self.home / "filler").unlink()


@pytest.fixture
def full(home: FakeHome, tmp_path: Path) -> Iterator[Full]:
    (tmp_path / "small").mkdir()
    with SmallDisk(tmp_path / "small", 8 * MEBIBYTE) as disk:
        made = Full(disk, home)
        yield made
        made.empty() if disk.path(made.home / "filler").exists() else None
        made.venvjail("remove", "--yes", made.venv)


#: Appends to a file of the home until it is refused; says how much was taken, and what is there.
APPEND = """
import errno, os
fd = os.open(os.path.expanduser("~/data"), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
taken = 0
try:
    while True:
        taken += os.write(fd, b"y" * 50_000)
except OSError as error:
    refusal = errno.errorcode[error.errno]
os.close(fd)
print(refusal, taken <= os.path.getsize(os.path.expanduser("~/data")) < taken + 50_000, taken > 0)
"""


def test_the_store_fills_up(full: Full) -> None:
    """ENOSPC as on any disk, what was taken is there, and after it all goes on."""
    assert full.python("import os; open(os.path.expanduser('~/kept'), 'w').write('before')")[0] == 0
    assert full.python(APPEND) == (0, "ENOSPC True True\n", "")
    assert full.disk.path(full.venv / "home/kept").read_text() == "before"
    assert full.python("import os; print(open(os.path.expanduser('~/kept')).read())") == (
        *(0, "before\n", ""),
    )
    assert full.python("import os; os.unlink(os.path.expanduser('~/data'))")[0] == 0
    assert full.python("import os; open(os.path.expanduser('~/more'), 'w').write('after')")[0] == 0
    assert full.disk.path(full.venv / "home/more").read_text() == "after"


def test_a_jail_runs_on_while_the_disk_is_full(full: Full) -> None:
    """Commands run, the log says that it is not written, and is written when there is room."""
    look = "import os; print(os.path.exists(os.path.expanduser('~/.ssh')))"
    assert full.python("pass")[0] == 0
    full.fill()
    for _ in range(2):
        status, out, _ = full.python(look)
        assert (status, out) == (0, "False\n")
    full.venvjail("status", full.venv)  # writes what waits, or fails to
    _, _, errors = full.python("pass")
    assert "what the jail refuses is not logged: " in errors
    assert "full" in errors or "disk I/O" in errors
    full.empty()
    assert " ~/.ssh " in full.venvjail("log", full.venv)
    assert full.python("pass") == (0, "", "")
    assert not list(full.disk.path(full.venv / ".venvjail").glob("*.damaged"))


def test_a_jail_does_not_start_without_room_for_its_guards(full: Full) -> None:
    """One line says so, nothing is left in /tmp, and with room it starts."""
    full.run("/bin/rm", "-rf", full.project / ".git")
    full.fill()
    for _ in range(2):
        status, out, errors = full.python("print('ran')")
        if status:
            assert (status, out) == (125, "")
            assert errors.startswith("venvjail: ")
            assert errors.count("\n") == 1
        else:
            assert out == "ran\n"
    assert len(list(full.disk.path("/tmp").glob("dirjail-*"))) <= 1
    full.empty()
    assert full.python("print('ran')")[:2] == (0, "ran\n")
