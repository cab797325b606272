"""Two pseudo-terminals, a caller's and a command's, for what is between them."""

import os
import select
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.support.home import TREE
from venvjail.terminal import OUTPUT, Terminal


class Ends(NamedTuple):
    """Of two terminals: the user's side and the caller's, the relay's side and the command's."""

    user: int
    caller: int
    master: int
    command: int


@contextmanager
def terminals() -> Iterator[Ends]:
    """The ends, open while the context lasts."""
    found = Ends(*os.openpty(), *os.openpty())
    # What the command writes comes in one part then, its newlines as they are.
    modes = termios.tcgetattr(found.command)
    modes[OUTPUT] &= ~termios.OPOST
    termios.tcsetattr(found.command, termios.TCSANOW, modes)
    os.set_blocking(found.caller, False)
    os.set_blocking(found.master, False)
    yield found
    for fd in found:
        try:
            os.close(fd)
        except OSError:
            continue  # by the test


def terminal(ends: Ends) -> Terminal:
    """The caller's, as the relay has it."""
    return Terminal(ends.caller, [ends.caller], own_keys=False)


def shown(ends: Ends, size: int) -> bytes:
    """What the user sees, so many bytes of it: the kernel passes on what is written in parts."""
    seen = b""
    while len(seen) < size and select.select([ends.user], [], [], 20)[0]:
        seen += os.read(ends.user, size - len(seen))
    return seen


def hang_up(ends: Ends) -> None:
    """The user's side goes, as a window that is closed."""
    os.close(ends.user)


def at_terminal(program: str) -> str:
    """Run a Python program that leads the session of a terminal; what is printed there."""
    pid, user = os.forkpty()
    if pid == 0:
        environment = {**os.environ, "PYTHONPATH": str(TREE)}
        os.execve(sys.executable, [sys.executable, "-c", program], environment)
    said = b""
    try:
        while more := os.read(user, 4096):
            said += more
    except OSError:
        pass  # its end
    os.waitpid(pid, 0)
    os.close(user)
    return said.decode().replace("\r\n", "\n")
