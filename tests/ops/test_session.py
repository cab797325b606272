"""The leader of a command's session, on a pseudo-terminal: where it fails, nothing goes on."""

import os
import subprocess
import sys

import pytest

from tests.support.home import TREE
from tests.support.ptys import at_terminal
from venvjail.errors import EXIT_NO_JAIL

BEGIN = """
import os, socket, subprocess, sys, termios
from types import SimpleNamespace
from venvjail import session
from venvjail.errors import JailError
link, relay = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
"""


def run(program: str) -> "subprocess.CompletedProcess[str]":
    """Run it with ``BEGIN`` before it; what it says and how it ends."""
    return subprocess.run(
        [sys.executable, "-c", BEGIN + program],
        env={**os.environ, "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        timeout=60,
    )


FAILS = """
def enter():
    raise {error}
start = SimpleNamespace(enter=enter)
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
session.run(link, SimpleNamespace(is_attached=False), start)
print("went on")
"""


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("JailError('cannot join')", "venvjail: cannot join\n"),
        ("RuntimeError('a bug')", "venvjail: cannot run the command: a bug\n"),
        ("KeyboardInterrupt()", "venvjail: cannot run the command: \n"),
    ],
)
def test_a_jail_that_cannot_be_joined(error: str, line: str) -> None:
    done = run(FAILS.replace("{error}", error))
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_NO_JAIL, "", line)


#: The terminals of a jail are a devpts of its own.
OWN_TERMINALS = """
from tests.support.namespaces import unshare
from venvjail import syscalls
unshare(as_root=False)
syscalls.mount("none", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620")
if sys.argv[1:] == ["leader"]:
    os.setsid()
try:
    print(len(session.open_terminal()))
except JailError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["leader"], "3\n"),
        ([], "the jail's programs disturb its terminals; run the command again\n"),
    ],
)
def test_a_terminal_that_is_not_its_own(words: list[str], said: str) -> None:
    """A process of the jail was quicker; here it is not got by who leads no session."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + OWN_TERMINALS, *words],
        env={**os.environ, "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == (said, "")


SERVED = """
command = subprocess.Popen(["sleep", "60"], preexec_fn=lambda: os.setpgid(0, 0))
ended = []
start = SimpleNamespace(end=lambda: ended.append(True))
own = os.open(os.ttyname(0), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
served = session.Session(link, (0, own), command.pid, start)
"""


def test_the_group_in_front_has_ended() -> None:
    """The terminal goes to the command's own group then."""
    said = at_terminal(f"""{BEGIN}{SERVED}
served._give(4_000_000)
print(os.tcgetpgrp(0) == command.pid)
served._give(served._own)
print(os.tcgetpgrp(0) == served._own)
command.kill()
""")
    assert said == "True\nTrue\n"


def test_an_end_is_told_once() -> None:
    said = at_terminal(f"""{BEGIN}{SERVED}
served._look()
relay.setblocking(False)
try:
    relay.recv(100)
except BlockingIOError:
    print("runs")
command.kill()
os.waitid(os.P_PID, command.pid, os.WEXITED | os.WNOWAIT)
served._look()
print(relay.recv(100), ended)
served._look()
served._obey(session.SIGNAL + bytes([15]))
try:
    print(relay.recv(100))
except BlockingIOError:
    print("no more")
session._kill(os.kill, command.pid, 15)
""")
    assert said == "runs\nb'e\\t\\x00\\x00\\x00' [True]\nno more\n"


def test_what_was_typed_and_not_read() -> None:
    said = at_terminal(f"""{BEGIN}{SERVED}
modes = termios.tcgetattr(0)
modes[3] &= ~(termios.ECHO | termios.ICANON)
termios.tcsetattr(0, termios.TCSANOW, modes)
print(served._unread())
command.kill()
""")
    assert said == "b''\n"


def test_a_terminal_that_is_hung_up() -> None:
    """Nothing is in its foreground, and nothing was typed."""
    done = run("""
user, fd = os.openpty()
served = session.Session.__new__(session.Session)
served._fd = served._reader = fd
served._own, served._child = os.getpgrp(), os.getpid()
os.close(user)
print(served._foreground(), served._unread())
served._give(served._own)
served._give(4_000_000)
""")
    assert (done.stdout, done.stderr) == ("0 b''\n", "")
