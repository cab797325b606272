"""System V and POSIX IPC with processes of the host: ESCAPES 22."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.support.jail import JailedVenv

SYSTEM_PYTHON = "/usr/bin/python3"

LIBRARY = """
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
IPC_CREAT, KEY = 0o1000, int(sys.argv[1])
name = b"/venvjail-%d" % KEY

def outcome(result):
    return "found" if result >= 0 else errno.errorcode[ctypes.get_errno()]
"""
#: Makes one of each, waits for its end, and removes them.
MAKE = (
    LIBRARY
    + """
made = {
    "shmctl": libc.shmget(KEY, 4096, IPC_CREAT | 0o600),
    "semctl": libc.semget(KEY, 1, IPC_CREAT | 0o600),
    "msgctl": libc.msgget(KEY, IPC_CREAT | 0o600),
}
queue = libc.mq_open(name, os.O_RDWR | os.O_CREAT, 0o600, None)
segment = libc.shm_open(name, os.O_RDWR | os.O_CREAT, 0o600)
print(min(*made.values(), queue, segment) >= 0, flush=True)
sys.stdin.read()
libc.shmctl(made["shmctl"], 0, None)
libc.semctl(made["semctl"], 0, 0)
libc.msgctl(made["msgctl"], 0, None)
libc.mq_unlink(name)
libc.shm_unlink(name)
"""
)
FIND = (
    LIBRARY
    + """
print("shm", outcome(libc.shmget(KEY, 0, 0)))
print("sem", outcome(libc.semget(KEY, 0, 0)))
print("msg", outcome(libc.msgget(KEY, 0)))
print("mqueue", outcome(libc.mq_open(name, os.O_RDONLY)))
print("posix", outcome(libc.shm_open(name, os.O_RDONLY, 0)))
"""
)
KINDS = ("shm", "sem", "msg", "mqueue", "posix")


@contextmanager
def made(argv: list[object], env: Mapping[str, str]) -> Iterator[None]:
    """One of each kind exists."""
    words = [str(word) for word in argv]
    with subprocess.Popen(
        words, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "True\n"
        yield
        maker.communicate("")
    assert maker.returncode == 0


def outcomes(output: str) -> dict[str, str]:
    return dict(line.split() for line in output.splitlines())  # type: ignore[misc]  # two words


def test_of_the_host(jail: JailedVenv) -> None:
    key = "19850101"
    with made([SYSTEM_PYTHON, "-c", MAKE, key], jail.home.env):
        host = outcomes(jail.home.check([SYSTEM_PYTHON, "-c", FIND, key]))
        assert host == dict.fromkeys(KINDS, "found")
        assert outcomes(jail.python(FIND, key)) == dict.fromkeys(KINDS, "ENOENT")


def test_of_the_jail(jail: JailedVenv) -> None:
    """The other direction; commands of one jail share them."""
    key = "19850102"
    with made([jail.bin / "python", "-c", MAKE, key], jail.home.env):
        assert outcomes(jail.python(FIND, key)) == dict.fromkeys(KINDS, "found")
        host = outcomes(jail.home.check([SYSTEM_PYTHON, "-c", FIND, key]))
        assert host == dict.fromkeys(KINDS, "ENOENT")
