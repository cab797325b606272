"""Command line (host): find running jails and the processes in them, from the host's /proc."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from venvjail import client
from venvjail.layout import VenvPaths
from venvjail.titles import venv_of


@dataclass(frozen=True)
class Process:
    """A process of a jail: its pid on the host and in the jail, and its command line."""

    pid: int
    jail_pid: int
    command: str


@dataclass(frozen=True)
class Supervisor:
    """The supervisor ``pid`` of the jail of the venv at ``paths``."""

    pid: int
    paths: VenvPaths

    @property
    def is_orphaned(self) -> bool:
        """Whether its venv was deleted or moved, so that no command finds the jail any more.

        Its stderr is the log in the venv's runtime directory, wherever that is by now.
        """
        try:
            own = os.stat(f"/proc/{self.pid}/fd/2")
        except OSError:
            return False  # ended meanwhile
        try:
            return not os.path.samestat(own, os.lstat(self.paths.run + "/log"))
        except OSError:
            return True


def supervisors() -> Iterator[Supervisor]:
    """The user's supervisors, as their process titles say, whether they listen or not."""
    for pid in _pids():
        venv = _supervised(pid)
        if venv is not None:
            yield Supervisor(pid, VenvPaths(venv))


def _supervised(pid: int) -> str | None:
    """The venv whose supervisor ``pid`` is; None for any other process.

    Only processes of the user in the user's own PID namespace count: a jailed program can give
    itself any title.
    """
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.getuid():
            return None
        if os.readlink(f"/proc/{pid}/ns/pid") != os.readlink("/proc/self/ns/pid"):
            return None
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return venv_of(os.fsdecode(file.read().rstrip(b"\0")))
    except OSError:
        return None  # ended meanwhile


def running() -> set[str]:
    """The venvs, as ``VenvPaths.env``, whose supervisors run."""
    return {supervisor.paths.env for supervisor in supervisors()}


def end_orphans(venv: str) -> bool:
    """End the jails of ``venv`` whose venv is not there any more; whether there was one."""
    found = [s for s in supervisors() if s.paths.env == venv and s.is_orphaned]
    for supervisor in found:
        with contextlib.suppress(ProcessLookupError), client.held(supervisor.pid) as pidfd:
            # The number may have become another process's before it was held.
            if _supervised(supervisor.pid) == venv:
                signal.pidfd_send_signal(pidfd, signal.SIGTERM)
                client.wait_or_kill(pidfd)
    return bool(found)


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
