"""Taking the memory of the machine: ESCAPES 29, ``[limits] memory``."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.running import WAITER, said, started
from tests.support.waiting import eventually
from tests.support.wall_off import WallOff
from venvjail import protocol

MEBIBYTE = 1024**2
LIMIT = 160 * MEBIBYTE

#: Maps memory and uses none of it.
MAP = """
import mmap, sys
try:
    mmap.mmap(-1, int(sys.argv[1]), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
except OSError as error:
    print(error.strerror)
else:
    print("mapped")
"""
RAISE = """
import resource
print(resource.getrlimit(resource.RLIMIT_DATA))
try:
    resource.setrlimit(resource.RLIMIT_DATA, (2 ** 40, 2 ** 40))
except (OSError, ValueError) as error:
    print(error)
"""
#: Children hold so many bytes each; prints how many of them were killed within so many seconds.
CROWD = """
import os, signal, sys, time
count, size, seconds = map(int, sys.argv[1:])
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
children = []
for _ in range(count):
    pid = os.fork()
    if pid == 0:
        block = b"x" * size
        signal.pause()
    children.append(pid)
signal.sigtimedwait({signal.SIGCHLD}, seconds)
time.sleep(0.5)
killed = 0
for pid in children:
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        killed += status == signal.SIGKILL
    else:
        os.kill(pid, signal.SIGKILL)
print(killed)
"""
#: One block, and children that have it as well, unless they write to it.
FORKED = """
import os, signal, sys, time
block = b"x" * int(sys.argv[1])
children = []
for _ in range(6):
    pid = os.fork()
    if pid == 0:
        signal.pause()
    children.append(pid)
time.sleep(0.7)
print([os.waitpid(pid, os.WNOHANG) for pid in children] == [(0, 0)] * 6)
for pid in children:
    os.kill(pid, signal.SIGKILL)
"""
MEMFD = """
import os, signal, sys
fd = os.memfd_create("x")
for _ in range(int(sys.argv[1]) >> 20):
    os.write(fd, bytes(1 << 20))
signal.sigtimedwait(set(), float(sys.argv[2]))
print("there")
"""
SHARED = """
import mmap, signal, sys
block = mmap.mmap(-1, int(sys.argv[1]))
while block.tell() < len(block):
    block.write(bytes(1 << 20))
signal.sigtimedwait(set(), float(sys.argv[2]))
print("there")
"""
#: System V segments that nothing is attached to.
SEGMENTS = """
import ctypes, signal, sys
c = ctypes.CDLL(None)
c.shmat.restype = ctypes.c_void_p
left = int(sys.argv[1])
while left > 0:
    size = min(left, 32 << 20)
    segment = c.shmget(0, size, 0o1600)
    assert segment >= 0
    address = ctypes.c_void_p(c.shmat(segment, None, 0))
    ctypes.memset(address, 1, size)
    c.shmdt(address)
    left -= size
signal.sigtimedwait(set(), float(sys.argv[2]))
print("there")
"""
#: The thread that the process is named after ends: /proc/PID/status tells of no memory then.
HEADLESS = """
import ctypes, mmap, os, signal, sys, threading, time
def hold():
    time.sleep(0.2)
    block = mmap.mmap(-1, int(sys.argv[1]))
    while block.tell() < len(block):
        block.write(bytes(1 << 20))
    signal.sigtimedwait(set(), float(sys.argv[2]))
    os.write(1, b"there")
    os._exit(0)
threading.Thread(target=hold).start()
ctypes.CDLL(None).syscall(60 if os.uname().machine == "x86_64" else 93, 0)
"""
#: Each generation starts two more, and all hold what they can.
BOMB = """
import os
while True:
    try:
        os.fork()
        block = b"x" * (8 << 20)
    except (OSError, MemoryError):
        pass
"""
SAID = r"venvjail: limits\.memory \(160 MiB\): "
KILLED = SAID + r"killed process \d+.*, which held \d+ MiB( together)?\n"


def limit(venv: JailedVenv, line: str) -> None:
    config = Path(venv.paths.config)
    text = config.read_text(encoding="utf-8")
    assert "\n[limits]\n" in text
    config.write_text(text.replace("\n[limits]\n", f"\n[limits]\n{line}\n"), encoding="utf-8")


@pytest.fixture(scope="module")
def limited(shared_home: FakeHome) -> Iterator[JailedVenv]:
    with JailedVenv(shared_home, "limited") as venv:
        limit(venv, 'memory = "160M"')
        yield venv


def run(venv: JailedVenv, code: str, *arguments: int) -> subprocess.CompletedProcess[str]:
    return venv.home.run([venv.bin / "python", "-c", code, *map(str, arguments)])


def test_one_process_is_refused_more(limited: JailedVenv) -> None:
    assert limited.python(MAP, str(LIMIT)) == "Cannot allocate memory"
    assert limited.python(MAP, str(LIMIT // 2)) == "mapped"
    with WallOff(limited, protocol.MEMORY):
        assert limited.python(MAP, str(LIMIT)) == "mapped"


def test_it_cannot_be_raised(limited: JailedVenv) -> None:
    limits, error = limited.python(RAISE).splitlines()
    assert limits == f"({LIMIT}, {LIMIT})"
    assert error in ("not allowed to raise maximum limit", "[Errno 1] Operation not permitted")


def test_many_together_are_killed(limited: JailedVenv, jail: JailedVenv) -> None:
    crowd = (5, LIMIT // 4)
    done = run(limited, CROWD, *crowd, 10)
    assert int(done.stdout) in (2, 3, 4), done.stderr
    assert re.match(KILLED, done.stderr), done.stderr
    assert jail.python(CROWD, *map(str, (*crowd, 1))) == "0"


def test_what_a_fork_shares_counts_once(limited: JailedVenv) -> None:
    done = run(limited, FORKED, LIMIT // 2)
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.parametrize("code", [MEMFD, SHARED, HEADLESS, SEGMENTS])
def test_whatever_holds_it(limited: JailedVenv, jail: JailedVenv, code: str) -> None:
    size = LIMIT * 5 // 4 // MEBIBYTE * MEBIBYTE
    done = run(limited, code, size, 20)
    assert (done.returncode, done.stdout) == (-9, ""), done.stderr
    # Segments stay when those who made them are gone.
    said = SAID + "the jail of .* was ended .*\n" if code == SEGMENTS else KILLED
    assert re.fullmatch(said, done.stderr), done.stderr
    control = run(jail, code, size, 0)
    assert control.stdout.strip() == "there", control.stderr
    jail.stop()  # and with it what has stayed


def test_in_a_user_namespace_of_its_own(shared_home: FakeHome) -> None:
    """Pids of its own, and root's number: it is of the jail all the same."""
    with JailedVenv(shared_home, "nested") as venv:
        limit(venv, 'memory = "160M"')
        config = Path(venv.paths.config)
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace("\n[jail]\n", "\n[jail]\nuser_namespaces = true\n"))
        size = str(LIMIT * 5 // 4 // MEBIBYTE * MEBIBYTE)
        nested = ["unshare", "--user", "--map-root-user", "--pid", "--fork", venv.bin / "python"]
        control = venv.run([*nested, "-c", "import os; print(os.getpid(), os.getuid())"])
        assert control.stdout == "1 0\n", control.stderr
        done = venv.run([*nested, "-c", SHARED, size, "20"])
        assert (done.returncode == 0, done.stdout) == (False, ""), done.stderr
        assert re.search(KILLED, done.stderr), done.stderr


def test_a_bomb_ends_its_jail_and_no_other(limited: JailedVenv, jail: JailedVenv) -> None:
    with started(jail, "-IS", "-c", WAITER) as other:
        assert said(other).startswith("ready ")
        done = run(limited, BOMB)
        assert done.returncode == -9
        eventually(lambda: limited.status is None, "the jail has ended")
        following = run(limited, "print('a new jail')")
        assert following.stdout == "a new jail\n"
        # The command itself may have been killed before all else.
        ended = f"the jail of {limited.env} was ended with all its processes, which held more"
        assert re.search(SAID + re.escape(ended), done.stderr + following.stderr)
        assert other.poll() is None
        shown = limited.home.check([*VENVJAIL, "status", limited.env])
        assert re.search(r"\n  memory +\d+ MiB of 160 MiB at the last look\n", shown)


def test_stop_ends_it_all_the_same(limited: JailedVenv) -> None:
    command = subprocess.Popen(
        [limited.bin / "python", "-c", CROWD, "5", str(LIMIT // 4), "60"],
        env=limited.home.env,
        cwd=limited.home.project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with command:
        eventually(lambda: (status := limited.status) and status.processes > 3, "it has grown")
        stopped = limited.home.run([*VENVJAIL, "stop", limited.env], timeout=30)
        assert (stopped.returncode, stopped.stderr) == (0, "")
        assert command.wait(timeout=10) == -9


def test_files_in_memory_are_bounded(limited: JailedVenv) -> None:
    sizes = "import os; print([os.statvfs(path).f_blocks * os.statvfs(path).f_frsize for path in"
    runtime = f"/run/user/{os.getuid()}"
    assert limited.python(f"{sizes} ('/dev/shm', '{runtime}')])") == str([LIMIT, LIMIT])
