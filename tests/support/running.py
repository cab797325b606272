"""A running jail, looked at from the host: who it is made of, and commands that wait in it."""

import os
import resource
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.support.jail import JailedVenv
from tests.support.processes import Process
from venvjail import client

#: Says ``ready`` and its PID namespace, and ends with its stdin or a line of it.
WAITER = (
    "import os, sys; print('ready', os.readlink('/proc/self/ns/pid'), flush=True); "
    "sys.stdin.readline()"
)

Command = subprocess.Popen[str]


def running(jail: JailedVenv) -> client.Status:
    """The jail that runs; there is one."""
    status = jail.status
    assert status is not None
    return status


def supervisors(jail: JailedVenv) -> list[int]:
    """The pids of all supervisors of the venv, whether they listen or not."""
    title = f"venvjail: supervisor {jail.env}".encode()
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and Path(f"/proc/{name}/cmdline").read_bytes().startswith(title):
                found.append(int(name))
        except OSError:
            continue
    return found


def inits(jail: JailedVenv) -> list[int]:
    """The pids on the host of what has PID 1 in a namespace below one of the supervisors."""
    children = []
    for pid in supervisors(jail):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            text = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            children += [int(child) for child in text]
    return children


def everyone(jail: JailedVenv) -> list[Process]:
    """Supervisor and init, held by pidfds; to be closed."""
    status = running(jail)
    return [Process(status.supervisor), Process(status.init)]


def start(jail: JailedVenv, *argv: str | Path, before: Sequence[str] = ()) -> Command:
    """Start ``argv``, or the venv's python with it as arguments, its streams being pipes."""
    words = argv if str(argv[0]).startswith("/") else (jail.bin / "python", *argv)
    return subprocess.Popen(
        [*before, *words],
        env=jail.home.env,
        cwd=jail.home.project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(command: Command) -> str:
    """The next line of its output."""
    assert command.stdout is not None
    return command.stdout.readline()


@contextmanager
def started(jail: JailedVenv, *argv: str | Path) -> Iterator[Command]:
    """The same, killed at the end of the block."""
    with start(jail, *argv) as command:
        try:
            yield command
        finally:
            command.kill()


@contextmanager
def waiters(jail: JailedVenv, count: int, before: Sequence[str] = ()) -> Iterator[list[Command]]:
    """So many commands that were started at once, and wait; killed at the end of the block."""
    with ExitStack() as stack:
        commands = []
        for _ in range(count):
            command = stack.enter_context(start(jail, "-IS", "-c", WAITER, before=before))
            stack.callback(command.kill)
            commands.append(command)
        yield commands


class Figures:
    """What the supervisor of a running jail takes."""

    def __init__(self, jail: JailedVenv) -> None:
        self.pid = running(jail).supervisor

    @property
    def descriptors(self) -> int:
        """Open ones."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def threads(self) -> int:
        """Its threads."""
        return len(os.listdir(f"/proc/{self.pid}/task"))

    @property
    def memory(self) -> int:
        """Resident, in bytes."""
        pages = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * resource.getpagesize()

    @property
    def peak(self) -> int:
        """The most that was resident at once, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
