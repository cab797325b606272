"""The second wall: ESCAPES 3 and 9, and what commands of one jail can do to each other."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.requirements import require
from tests.support.wall_off import RULESET, WallOff
from venvjail.walls import landlock

SYSTEM_PYTHON = Path("/usr/bin/python3")


@pytest.fixture(scope="module", autouse=True)
def _landlock() -> None:
    require(landlock.usable(), "this kernel has no Landlock of ABI 2 or newer")


def run_redirected(
    home: FakeHome, argv: Sequence[str | Path], *, stdin: Path, stdout: Path | None = None
) -> str:
    """Run ``argv`` as a shell does with ``< STDIN > STDOUT``; return stderr, or stdout if piped."""
    with stdin.open("rb") as source:
        target = subprocess.PIPE if stdout is None else stdout.open("wb")
        done = subprocess.run(
            argv,
            env=home.env,
            cwd=home.project,
            stdin=source,
            stdout=target,
            stderr=subprocess.PIPE,
            timeout=30,
        )
        if stdout is not None:
            target.close()  # type: ignore[union-attr]  # a file here
    return os.fsdecode(done.stderr if stdout is not None else done.stdout)


REOPEN = """
import os, sys
for path in ("/proc/self/fd/0", "/dev/stdin"):
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC):
        try:
            fd = os.open(path, flags)
            os.write(fd, b"overwritten")
            print("done")
        except OSError as error:
            print(error.strerror)
"""
TRUNCATE = """
import os
try:
    os.truncate("/proc/self/fd/0", 0)
    print("done")
except OSError as error:
    print(error.strerror)
"""


class TestRedirectedStdin:
    def test_jailed(self, jail: JailedVenv) -> None:
        letter = jail.home.write("docs/letter", "Dear Bob")
        output = run_redirected(jail.home, [jail.bin / "python", "-c", REOPEN], stdin=letter)
        assert output.split("\n") == ["Permission denied"] * 6 + [""]
        assert letter.read_text() == "Dear Bob"

    def test_control(self, jail: JailedVenv) -> None:
        letter = jail.home.write("docs/letter", "Dear Bob")
        jail.python("pass")
        with WallOff(jail, RULESET):
            output = run_redirected(jail.home, [jail.bin / "python", "-c", REOPEN], stdin=letter)
        assert output.split("\n") == ["done"] * 6 + [""]
        assert letter.read_text() != "Dear Bob"

    def test_truncating(self, jail: JailedVenv) -> None:
        require(landlock.abi() >= 3, "this kernel's Landlock does not know truncate(2)")
        letter = jail.home.write("docs/letter", "Dear Bob")
        argv = [jail.bin / "python", "-c", TRUNCATE]
        assert run_redirected(jail.home, argv, stdin=letter) == "Permission denied\n"
        assert letter.read_text() == "Dear Bob"
        with WallOff(jail, RULESET):
            assert run_redirected(jail.home, argv, stdin=letter) == "done\n"
        assert letter.read_text() == ""

    def test_it_can_be_read(self, jail: JailedVenv) -> None:
        letter = jail.home.write("docs/letter", "Dear Bob")
        code = "import sys; print(sys.stdin.read(), open('/dev/stdin').read())"
        output = run_redirected(jail.home, [jail.bin / "python", "-c", code], stdin=letter)
        assert output == "Dear Bob Dear Bob\n"


CHANGE = """
import os
def append():
    with open("/proc/self/fd/0", "a") as file:
        file.write("changed")
for change in (append, lambda: os.fchmod(0, 0o666), lambda: os.utime(0, (1, 1))):
    try:
        change()
        print("done")
    except OSError as error:
        print(error.strerror)
"""


class TestGuardedStdin:
    """A file of the project that is read-only in the jail is so by the caller's descriptor too."""

    @pytest.fixture
    def guarded(self, shared_home: FakeHome) -> Path:
        file = shared_home.project / ".git/description"
        file.write_text("one\ntwo\nthree\n")
        file.chmod(0o644)
        return file

    def test_jailed(self, jail: JailedVenv, guarded: Path) -> None:
        output = run_redirected(jail.home, [jail.bin / "python", "-c", CHANGE], stdin=guarded)
        assert output == "Read-only file system\n" * 3
        assert guarded.read_text() == "one\ntwo\nthree\n"

    def test_control(self, shared_home: FakeHome, guarded: Path) -> None:
        output = run_redirected(shared_home, [SYSTEM_PYTHON, "-c", CHANGE], stdin=guarded)
        assert output == "done\n" * 3

    def test_state_of_a_venv(self, jail: JailedVenv) -> None:
        """Landlock cannot tell it from the project around it, and the jail has no path to it."""
        argv = [jail.bin / "python", "-c", CHANGE]
        config = Path(jail.paths.config)
        before = config.read_text(encoding="utf-8")
        with config.open("rb") as stdin:
            done = subprocess.run(argv, env=jail.home.env, stdin=stdin, capture_output=True)
        assert done.returncode == 125
        assert done.stderr.startswith(b"venvjail: descriptor 0 is of a venv's state")
        assert config.read_text(encoding="utf-8") == before

    @pytest.mark.parametrize("name", ["python", "tool"])
    def test_the_hosts_own_bin(self, jail: JailedVenv, name: str) -> None:
        """In the jail another directory is at its path; Landlock knows it as a part of the venv."""
        # A symlink in the jail, and a file of its own there.
        jail.check(["cp", "/bin/true", jail.bin / "tool"])
        entry = jail.bin / name
        before = entry.read_bytes()
        argv = [jail.bin / "python", "-c", CHANGE]
        with entry.open("rb") as stdin:
            done = subprocess.run(argv, env=jail.home.env, stdin=stdin, capture_output=True)
        assert done.returncode == 125
        assert b"which the jail hides and could write to" in done.stderr
        assert done.stdout == b""
        assert entry.read_bytes() == before

    def test_control_of_that(self, jail: JailedVenv) -> None:
        """A file of the venv that the jail shows is the jail's to write to."""
        file = jail.env / "pip.conf"
        file.write_text("[global]\n")
        assert run_redirected(jail.home, [jail.bin / "python", "-c", CHANGE], stdin=file) == (
            "done\n" * 3
        )

    @pytest.mark.parametrize("where", ["guarded", "project", "hidden"])
    def test_caller_reads_on_where_the_command_stopped(
        self, jail: JailedVenv, guarded: Path, where: str
    ) -> None:
        files = {
            "guarded": guarded,
            "project": jail.home.write("src/proj/lines", guarded.read_text()),
            "hidden": jail.home.write("docs/lines", guarded.read_text()),
        }
        code = "import os; print(os.read(0, 4).decode(), end='')"
        script = 'read first; "$0" -c "$1"; read third; echo "$first $third"'
        argv = ["bash", "-c", script, jail.bin / "python", code]
        assert run_redirected(jail.home, argv, stdin=files[where]) == "two\none three\n"


@contextmanager
def listening(name: str) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        yield


CONNECT = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
try:
    client.connect("\\0" + sys.argv[1])
    print("connected")
except OSError as error:
    print(error.strerror)
"""


class TestAbstractSockets:
    @pytest.fixture(autouse=True)
    def _scope(self) -> None:
        require(landlock.abi() >= 6, "this kernel's Landlock does not scope abstract sockets")

    def test_of_the_host(self, jail: JailedVenv, tmp_path: Path) -> None:
        name = f"venvjail-{tmp_path}"
        with listening("\0" + name):
            host = jail.home.check([SYSTEM_PYTHON, "-c", CONNECT, name])
            assert host == "connected\n"
            assert jail.python(CONNECT, name) == "Operation not permitted"

    def test_within_a_command(self, jail: JailedVenv, tmp_path: Path) -> None:
        code = f"""
import socket, subprocess, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind("\\0" + sys.argv[1])
listener.listen()
subprocess.run([sys.executable, "-c", {CONNECT!r}, sys.argv[1]], check=True)
"""
        assert jail.python(code, f"venvjail-{tmp_path}") == "connected"


WAIT = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind("\\0venvjail-" + sys.argv[1])
listener.listen()
path = socket.socket(socket.AF_UNIX)
path.bind("/tmp/socket")
path.listen()
print(os.getpid(), flush=True)
sys.stdin.read()
"""

MEET = """
import os, socket, sys
pid = int(sys.argv[1])
def attempt(action):
    try:
        action()
        print("done")
    except OSError as error:
        print(error.strerror)
attempt(lambda: socket.socket(socket.AF_UNIX).connect("/tmp/socket"))
attempt(lambda: open(f"/proc/{pid}/cmdline").read())
attempt(lambda: socket.socket(socket.AF_UNIX).connect("\\0venvjail-" + sys.argv[2]))
attempt(lambda: os.readlink(f"/proc/{pid}/cwd"))
attempt(lambda: os.kill(pid, 15))
"""


def test_two_commands_of_one_jail(jail: JailedVenv, tmp_path: Path) -> None:
    """They see, signal and reach each other; a Landlock domain each costs them these two."""
    waiting = subprocess.Popen(
        [jail.bin / "python", "-c", WAIT, tmp_path],
        env=jail.home.env,
        cwd=jail.home.project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    with waiting:
        assert waiting.stdout is not None
        pid = waiting.stdout.readline().strip()
        path, seen, abstract, directory, killed = jail.python(MEET, pid, tmp_path).split("\n")
        assert (path, seen, killed) == ("done", "done", "done")
        assert directory == "Permission denied"
        if landlock.abi() >= 6:
            assert abstract == "Operation not permitted"
    assert waiting.returncode == -signal.SIGTERM


STREAMS = """
import sys
for name in ("stdout", "stderr"):
    with open(f"/dev/{name}", "w") as stream:
        stream.write(f"to {name}\\n")
"""


class TestStreamsOpenedAnew:
    """``/dev/stdout`` is what the caller has it redirected to, which may be outside of the jail."""

    def test_in_the_project(self, jail: JailedVenv) -> None:
        out = jail.home.project / "out"
        argv = [jail.bin / "python", "-c", STREAMS]
        stderr = run_redirected(jail.home, argv, stdin=Path("/dev/null"), stdout=out)
        assert (out.read_text(), stderr) == ("to stdout\n", "to stderr\n")

    def test_null(self, jail: JailedVenv) -> None:
        argv = [jail.bin / "python", "-c", STREAMS]
        null = Path("/dev/null")
        assert run_redirected(jail.home, argv, stdin=null, stdout=null) == "to stderr\n"


def test_supervisor_has_confined_itself(jail: JailedVenv) -> None:
    """What a confined one can do is in ``tests/ops``; that this one is, its no_new_privs shows."""
    jail.python("pass")
    status = jail.status
    assert status is not None
    lines = Path(f"/proc/{status.supervisor}/status").read_text(encoding="utf-8").splitlines()
    assert "NoNewPrivs:\t1" in lines
