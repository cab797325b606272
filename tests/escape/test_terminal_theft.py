"""What a command leaves behind and the terminal: it can neither read there nor print later.

A process in a session of its own is not stopped when it reads from a terminal that it has open;
job control is for the sessions that the terminal controls (``job_control()`` in the kernel's
n_tty.c).
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.terminal import PROMPT, Terminal, bash
from tests.support.waiting import eventually

#: Leaves a process behind that opens ``argv[1]``, or takes the descriptor of that number.  Told by
#: ``go`` it prints and reads; in ``found`` it notes how each ended.
THIEF = r"""
import os, sys
place = sys.argv[1]
fd = int(place) if place.isdigit() else os.open(place, os.O_RDWR | os.O_NOCTTY)
ready, done = os.pipe()
if os.fork():
    os.read(ready, 1)
    os._exit(0)
os.setsid()
os.write(done, b"x")
open("go").read()
found = []
for step in (lambda: os.write(fd, b"for" + b"ged\n"), lambda: os.read(fd, 100)):
    try:
        found.append(repr(step()))
    except OSError as error:
        found.append(error.strerror)
    with open("found.new", "w") as file:
        print(*found, sep="\n", file=file)
    os.rename("found.new", f"found{len(found)}")
"""
#: Leaves processes behind that want every read of their terminal to wait for a byte, as long as
#: they have one; ends by the first byte that is typed.
HOLDER = r"""
import os, signal, termios, tty
for number in (signal.SIGHUP, signal.SIGTTOU):
    signal.signal(number, signal.SIG_IGN)
tty.setcbreak(0)
ready, done = os.pipe()
for _ in range(2):
    if os.fork() == 0:
        os.write(done, b"x")
        modes = termios.tcgetattr(0)
        try:
            while True:
                termios.tcsetattr(0, termios.TCSANOW, modes)
        except termios.error:
            os._exit(0)
    os.read(ready, 1)
print("ready", flush=True)
os.read(0, 1)
"""
_ROUNDS = 8
#: By which the process has got the terminal: a stream, or its name where no stream leads to it.
WAYS = {
    "stdin": ("0", ""),
    "stdout": ("1", "</dev/null"),
    "stderr": ("2", "</dev/null >/dev/null"),
    "tty": ("/dev/tty", "</dev/null >/dev/null 2>&1"),
}


@pytest.fixture
def terminal(shared_home: FakeHome) -> Iterator[Terminal]:
    with bash(env=shared_home.env, cwd=shared_home.project) as shell:
        yield shell


@pytest.fixture
def directory(jail: JailedVenv) -> Iterator[Path]:
    """The project, with the thief's files; what it left behind ends with the jail."""
    project = jail.home.project
    (project / "thief.py").write_text(THIEF, encoding="utf-8")
    for name in ("go", "wait", "found1", "found2"):
        (project / name).unlink(missing_ok=True)
    os.mkfifo(project / "go")
    os.mkfifo(project / "wait")
    yield project
    jail.stop()


def leave_behind(jail: JailedVenv, terminal: Terminal, way: str) -> None:
    place, redirection = WAYS[way]
    terminal.type(f"{jail.bin}/python thief.py {place} {redirection}")
    assert terminal.status() == "0"
    terminal.expect(PROMPT)


def found(directory: Path, step: int) -> str:
    file = directory / f"found{step}"
    eventually(file.exists, f"{file.name} is there")
    return file.read_text(encoding="utf-8").splitlines()[step - 1]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_left_behind_has_no_terminal(
    jail: JailedVenv, terminal: Terminal, directory: Path, way: str
) -> None:
    leave_behind(jail, terminal, way)
    (directory / "go").write_text("go", encoding="utf-8")
    assert found(directory, 1) == "Input/output error"
    assert found(directory, 2) in ("Input/output error", "b''")
    terminal.type("read -r -p 'pass''word: ' line; echo go''t $line")
    terminal.expect("password: ")
    terminal.type("secret")
    terminal.expect("got secret\r\n")
    assert "forged" not in terminal.child.before


@pytest.mark.parametrize("way", WAYS)
def test_control_with_the_terminal_shared(
    jail: JailedVenv, terminal: Terminal, directory: Path, way: str
) -> None:
    with jail.configured('[jail]\nterminal = "shared"\n'):
        leave_behind(jail, terminal, way)
        # A program that is waited for and does not read: nobody but the thief does then.
        terminal.type("echo run''s; cat wait; echo wai''ted")
        terminal.expect("runs\r\n")
        (directory / "go").write_text("go", encoding="utf-8")
        terminal.expect("forged\r\n")
        terminal.type("secret")
        assert found(directory, 2) == repr(b"secret\n")
        (directory / "wait").write_text("", encoding="utf-8")
        terminal.expect("waited\r\n")


def test_what_is_left_behind_does_not_hold_the_terminal(
    jail: JailedVenv, terminal: Terminal
) -> None:
    """What was typed and not read is asked for at the end; the answer must not wait.

    Each round is a race; without a reader that never blocks about one in two is lost.
    """
    (jail.home.project / "holder.py").write_text(HOLDER, encoding="utf-8")
    for _ in range(_ROUNDS):
        terminal.type(f"{jail.bin}/python holder.py")
        terminal.expect("ready\r\n")
        terminal.child.send("x")
        terminal.expect(PROMPT)
    assert terminal.ask("echo free") == "free"
