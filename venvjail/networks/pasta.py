"""Supervisor (host's namespaces): pasta(1), the way out of an isolated jail's network.

pasta needs mounts for its own sandbox, and Landlock allows none to the supervisor.  So the process
that becomes pasta is forked before the supervisor confines itself, and waits for the jail to be
there.  It joins the jail's user and network namespaces, keeps sockets in the host's network, shuts
itself into an empty root and filters its own system calls.  It sees nothing of the jail but its
packets, and no jailed process sees it: its PID namespace is the host's.

It ends with the supervisor, by the parent-death signal; nothing that pasta does clears that.
"""

from __future__ import annotations

import logging
import os
import select
import signal
from collections.abc import Sequence
from typing import NoReturn

import trio

from venvjail import syscalls

log = logging.getLogger("venvjail.networks.pasta")

_READY_SECONDS = 20.0
_END_SECONDS = 1.0
_MOST_LOGGED = 100
_CHUNK = 65536


class Pasta:
    """One pasta; made before the supervisor confines itself or starts a thread."""

    def __init__(self, command: Sequence[str]) -> None:
        """``command`` lacks its last word, the process in the jail that ``start`` is told."""
        go, self._go = os.pipe()
        self._ready, ready = os.pipe()
        self._errors, errors = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _wait(command, (go, ready, errors))
        for fd in (go, ready, errors):
            os.close(fd)
        os.set_blocking(self._errors, False)
        self._pidfd = os.pidfd_open(self.pid)
        self._ended = False

    async def start(self, process: int) -> str | None:
        """Connect the network that ``process`` is in; why that failed, if it did."""
        os.write(self._go, b"%d" % process)
        os.close(self._go)
        with trio.move_on_after(_READY_SECONDS):
            await trio.lowlevel.wait_readable(self._ready)
            if os.read(self._ready, _CHUNK):  # its process id; nothing when it has ended
                return None
            return reason(self._said())
        return f"not ready within {_READY_SECONDS:.0f} seconds"

    async def watch(self) -> None:
        """Log what it says, and return when it has ended."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._log)
            await trio.lowlevel.wait_readable(self._pidfd)
            nursery.cancel_scope.cancel()
        self._reap()

    def end(self) -> None:
        """End it, if it has not ended."""
        if self._ended:
            return
        signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        if select.select([self._pidfd], [], [], _END_SECONDS)[0]:
            self._reap()

    def _reap(self) -> None:
        os.waitpid(self.pid, 0)
        self._ended = True

    async def _log(self) -> None:
        logged = 0
        while True:
            await trio.lowlevel.wait_readable(self._errors)
            lines = self._said().splitlines()
            if not lines:
                return
            # A jailed program may know how to make it talk: read it all, keep the beginning.
            for line in lines[: max(0, _MOST_LOGGED - logged)]:
                log.info("%s", line)
            logged += len(lines)

    def _said(self) -> str:
        try:
            return os.read(self._errors, _CHUNK).decode("utf-8", "replace")
        except BlockingIOError:
            return ""


def reason(said: str) -> str:
    """The line of pasta's complaints that says why it gave up."""
    lines = [line.strip() for line in said.splitlines() if "syslog" not in line]
    return next((line for line in reversed(lines) if line), "it ended without a word")


def _wait(command: Sequence[str], standard: tuple[int, int, int]) -> NoReturn:
    """In the child: become pasta when the supervisor says for which process."""
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        for fd, source in enumerate(standard):
            os.dup2(source, fd)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        # Which Python ignores; pasta of 2023 takes that for a failure of its own signal(2).
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        process = os.read(0, _CHUNK)
        if process:  # else the supervisor has ended, and with it the need
            os.execve(command[0], [*command, process.decode()], {})
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(1)
