"""Command line (host): find running jails and the processes in them, from the host's /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from venvjail.layout import VenvPaths

_TITLE = b"venvjail: supervisor "


@dataclass(frozen=True)
class Process:
    """A process of a jail: its pid on the host and in the jail, and its command line."""

    pid: int
    jail_pid: int
    command: str


def running() -> Iterator[VenvPaths]:
    """The venvs whose supervisors run, as their process titles say.

    Only processes of the user in the user's own PID namespace count: a jailed program can give
    itself any title.
    """
    own = os.readlink("/proc/self/ns/pid")
    for pid in _pids():
        try:
            if os.stat(f"/proc/{pid}").st_uid != os.getuid():
                continue
            if os.readlink(f"/proc/{pid}/ns/pid") != own:
                continue
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                title = file.read().rstrip(b"\0 ")
        except OSError:
            continue  # ended meanwhile
        if title.startswith(_TITLE):
            yield VenvPaths(os.fsdecode(title[len(_TITLE) :]))


def processes(pid_namespace: int) -> Iterator[Process]:
    """The processes in the PID namespace with that inode number, init among them."""
    wanted = f"pid:[{pid_namespace}]"
    for pid in _pids():
        try:
            if os.readlink(f"/proc/{pid}/ns/pid") != wanted:
                continue
            with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
                numbers = next(line for line in file if line.startswith("NSpid:")).split()
            with open(f"/proc/{pid}/cmdline", "rb") as raw:
                command = os.fsdecode(raw.read().rstrip(b"\0").replace(b"\0", b" "))
        except (OSError, StopIteration):
            continue
        yield Process(pid, int(numbers[-1]), command)


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())
