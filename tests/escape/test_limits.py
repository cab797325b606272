"""Taking all there is: ESCAPES 29."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.processes import Process
from tests.support.waiting import eventually
from tests.support.wall_off import WallOff
from venvjail import protocol

MOST = 24

#: Forks until it is refused; prints what for and how many there were, and waits for its end.
FORK = """
import os, signal, sys
children, error = [], None
while len(children) < int(sys.argv[1]):
    try:
        pid = os.fork()
    except OSError as failure:
        error = failure.strerror
        break
    if pid == 0:
        signal.pause()
    children.append(pid)
print(error, len(children), flush=True)
sys.stdin.read()
for pid in children:
    os.kill(pid, 9)
"""
RAISE = """
import resource
try:
    resource.setrlimit(resource.RLIMIT_NPROC, (1000, 1000))
except (OSError, ValueError) as error:
    print(error)
"""


def limit(venv: JailedVenv, most: int) -> None:
    config = Path(venv.paths.config)
    text = config.read_text(encoding="utf-8")
    assert "\n[limits]\n" in text
    text = text.replace("\n[limits]\n", f"\n[limits]\nprocesses = {most}\n")
    config.write_text(text, encoding="utf-8")


@contextmanager
def forking(venv: JailedVenv, most: int) -> Iterator[tuple[str, int]]:
    """How forking ended, and after how many; the children stay while the context lasts."""
    with subprocess.Popen(
        [venv.bin / "python", "-c", FORK, str(most)],
        env=venv.home.env,
        cwd=venv.home.project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout is not None
        error, _, count = command.stdout.readline().strip().rpartition(" ")
        yield error, int(count)
        command.communicate("")


@pytest.fixture(scope="module")
def limited(shared_home: FakeHome) -> Iterator[JailedVenv]:
    with JailedVenv(shared_home, "limited") as venv:
        limit(venv, MOST)
        yield venv


def test_they_are_counted_for_the_whole_jail(limited: JailedVenv) -> None:
    with forking(limited, 1000) as (error, count):
        assert error == "Resource temporarily unavailable"
        # Init, the entry and the command are there too.
        assert count == MOST - 3
        # One that is at the limit can still be joined, and only the joined cannot fork.
        assert limited.python("print('joined')") == "joined"
        with forking(limited, 1000) as second:
            assert second == ("Resource temporarily unavailable", 0)


def test_control_without_the_limit(limited: JailedVenv) -> None:
    limited.python("pass")
    with (
        WallOff(limited, protocol.PROCESSES),
        forking(limited, 2 * MOST) as ended,
    ):
        assert ended == ("None", 2 * MOST)


def test_it_cannot_be_raised(limited: JailedVenv) -> None:
    assert limited.python(RAISE) in (
        "not allowed to raise maximum limit",
        "[Errno 1] Operation not permitted",
    )


def test_the_host_is_not_counted_and_not_limited(limited: JailedVenv) -> None:
    """The same user has as many processes outside: neither side hinders the other."""
    with subprocess.Popen(
        [sys.executable, "-c", FORK, str(2 * MOST)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as outside:
        assert outside.stdout is not None
        assert outside.stdout.readline() == f"None {2 * MOST}\n"
        with forking(limited, 1000) as (error, count):
            assert (error, count) == ("Resource temporarily unavailable", MOST - 3)
        outside.communicate("")


BOMB = """
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
"""


def test_a_fork_bomb_is_ended_by_stop(home: FakeHome) -> None:
    with JailedVenv(home) as venv:
        limit(venv, 64)
        with subprocess.Popen(
            [venv.bin / "python", "-c", BOMB], env=home.env, cwd=home.project
        ) as bomb:
            eventually(lambda: (status := venv.status) and status.processes > 50, "it has grown")
            init = Process(venv.status.init if venv.status else 0)
            done = home.run([*VENVJAIL, "stop", venv.env], timeout=30)
            assert (done.returncode, done.stderr) == (0, "")
            assert init.ended(time.monotonic() + 10)
            init.close()
            assert bomb.wait(timeout=10) == -9
        assert venv.python("print('a new jail')") == "a new jail"


FILL = """
import errno, json, os, sys
sizes = {}
for path in sys.argv[1:]:
    stat = os.statvfs(path)
    sizes[path] = stat.f_blocks * stat.f_frsize
    with open(path + "/sparse", "wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, 2 * sizes[path])
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
        else:
            print("it held more than it has")
    os.unlink(path + "/sparse")
print(json.dumps(sizes))
"""


def test_memory_behind_files_is_bounded(jail: JailedVenv) -> None:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    runtime = f"/run/user/{os.getuid()}"
    statvfs = "import json, os, sys; s = os.statvfs(sys.argv[1]); print(s.f_blocks * s.f_frsize)"
    sizes = {path: int(jail.python(statvfs, path)) for path in ("/dev/shm", runtime)}
    assert 0 < sizes["/dev/shm"] <= memory * 0.26
    assert 0 < sizes[runtime] <= memory * 0.11
    assert json.loads(jail.python(FILL, runtime)) == {runtime: sizes[runtime]}
    control = "import os; s = os.statvfs('/dev/shm'); print(s.f_blocks * s.f_frsize)"
    assert int(jail.home.check(["/usr/bin/python3", "-c", control])) != sizes["/dev/shm"]
