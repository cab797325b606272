"""Command line (host): find running jails and the processes in them, from the host's /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from venvjail.layout import VenvPaths
from venvjail.titles import venv_of


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
                title = os.fsdecode(file.read().rstrip(b"\0"))
        except OSError:
            continue  # ended meanwhile
        venv = venv_of(title)
        if venv is not None:
            yield VenvPaths(venv)


def processes(init: int, entries: Iterable[int]) -> list[Process]:
    """The processes of the jail whose init and entries have these pids on the host.

    Who descends from init, or from an entry (which is not in the jail itself, nor is the leader of
    a session that it may have between itself and its command), is in the jail.  The
    links in /proc/PID/ns are no help: those of a process that is not dumpable, as init and any
    program that wants to be, cannot be read; proc_pid_ns(5), ptrace(2).
    """
    known = {found.pid: found for found in map(_described, _pids()) if found is not None}
    children: dict[int, list[_Described]] = {}
    for process in known.values():
        children.setdefault(process.parent, []).append(process)
    pending = [known[init]] if init in known else []
    for entry in entries:
        for child in children.get(entry, ()):
            pending += [child] if child.jail_pid is not None else children.get(child.pid, ())
    found = {}
    while pending:
        process = pending.pop()
        if process.pid not in found and process.jail_pid is not None:
            found[process.pid] = Process(process.pid, process.jail_pid, _command(process.pid))
            pending += children.get(process.pid, ())
    return sorted(found.values(), key=lambda process: process.jail_pid)


@dataclass(frozen=True)
class _Described:
    pid: int
    parent: int
    #: In the PID namespace below ours; None for a process of ours.
    jail_pid: int | None


def _described(pid: int) -> _Described | None:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            fields = dict(line.split(":", 1) for line in file)
    except (OSError, ValueError):
        return None  # ended meanwhile
    numbers = fields["NSpid"].split()
    return _Described(pid, int(fields["PPid"]), int(numbers[1]) if len(numbers) > 1 else None)


def _command(pid: int) -> str:
    """The command line; the name in parentheses, as ps(1) shows it, where that is empty."""
    for name, before, after in (("cmdline", "", ""), ("comm", "(", ")")):
        try:
            with open(f"/proc/{pid}/{name}", "rb") as file:
                text = file.read().rstrip(b"\0\n").replace(b"\0", b" ")
        except OSError:
            break
        if text:
            return before + os.fsdecode(text) + after
    return "(ended)"


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())
