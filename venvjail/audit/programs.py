"""Supervisor (host's namespaces): which program made a request of the view.

A request waits for its answer, so its process is there to be looked at.  Looking costs as much as
the request does, hence one look serves all requests of a process within ``_FRESH_SECONDS``: too
short for an exec(2) to be followed by anything a program does, or for a pid to come again.  Within
``_SAME_SECONDS`` a look at the command line is enough to see that it is the program still.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

_FRESH_SECONDS = 0.01
_SAME_SECONDS = 0.25
_REMEMBERED = 256
_EXE_LIMIT = 512
_COMMAND_LIMIT = 1024
_ANCESTORS = 64

UNKNOWN = "?"
"""In place of an executable or command line that cannot be read: the process has ended."""


class Program(NamedTuple):
    """What a process runs; ``jail_pid`` is its pid in the jail, ``pid`` on the host, 0 for none."""

    exe: str
    command: str
    pid: int
    jail_pid: int


@dataclass(slots=True)
class _Look:
    """A look at a process; ``looked`` and ``checked`` are times of the clock."""

    program: Program
    cmdline: bytes
    looked: float
    checked: float


class Programs:
    """Looks at processes; ``executable`` tells the path of what a pid runs, None: it has ended."""

    def __init__(
        self,
        executable: Callable[[int], str | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._executable = executable
        self._clock = clock
        self._seen: dict[int, _Look] = {}

    def of(self, pid: int) -> Program:
        """The program of the process ``pid`` of the host."""
        now = self._clock()
        seen = self._seen.get(pid)
        if seen is not None and now - seen.checked < _FRESH_SECONDS:
            return seen.program
        cmdline = _read(pid, "cmdline")
        if seen is not None and now - seen.looked < _SAME_SECONDS and cmdline == seen.cmdline:
            seen.checked = now
            return seen.program
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        program = self._look(pid, cmdline)
        if seen is not None and program == seen.program:
            program = seen.program  # the same object: whoever kept it sees that by `is`
        self._seen[pid] = _Look(program, cmdline, now, now)
        return program

    def _look(self, pid: int, cmdline: bytes) -> Program:
        exe = self._executable(pid) if pid else None
        command = b" ".join(cmdline.rstrip(b"\0").split(b"\0"))
        return Program(
            UNKNOWN if exe is None else text(os.fsencode(exe), _EXE_LIMIT),
            text(command, _COMMAND_LIMIT) or UNKNOWN,
            pid,
            _jail_pid(pid),
        )


def ancestors(pid: int) -> list[int]:
    """``pid``, its parent and so on up to where it ends, pids of the host."""
    found: list[int] = []
    while pid > 1 and len(found) < _ANCESTORS:
        found.append(pid)
        status = _read(pid, "stat")
        # proc_pid_stat(5): the name is in parentheses and may hold some; then state and ppid.
        words = status.rpartition(b")")[2].split()
        pid = int(words[1]) if len(words) > 1 else 0
    return found


def text(raw: bytes, limit: int) -> str:
    """Bytes for a database of UTF-8, undecodable ones as escapes, the middle left out if long."""
    if len(raw) > limit:
        half = limit // 2
        raw = raw[:half] + b"..." + raw[-half:]
    return raw.decode("utf-8", "backslashreplace")


def _jail_pid(pid: int) -> int:
    """The pid one namespace further in than the host's, 0 where it cannot be told."""
    for line in _read(pid, "status").splitlines():
        if line.startswith(b"NSpid:"):
            pids = line.split()[1:]
            return int(pids[1]) if len(pids) > 1 else 0
    return 0


def _read(pid: int, name: str) -> bytes:
    if not pid:
        return b""
    try:
        fd = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, 8192)
    except OSError:
        return b""
    finally:
        os.close(fd)
