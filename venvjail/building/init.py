"""Init (all of the jail's namespaces, PID 1): hold the jail open and reap its orphans.

Its death ends every process of the jail; the kernel sees to that.  It dies with the supervisor,
by PDEATHSIG and by end-of-file on the socket between them, whichever comes first.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from typing import NoReturn

from setproctitle import setproctitle

from venvjail import syscalls
from venvjail.building.channel import ADOPTED, COUNT, JAIL_READY, LOST
from venvjail.building.mounttable import MountTable
from venvjail.walls import landlock


def run(
    channel: socket.socket,
    own: tuple[tuple[int, str], ...],
    ruleset: int | None,
    program: bytes | None,
    gauges: list[int],
) -> NoReturn:
    """Give what commands join with to the supervisor and serve it until it goes.

    ``ruleset`` and ``program``, Landlock's and seccomp's, confine init as they do the commands.
    ``gauges`` are descriptors for the supervisor.
    """
    setproctitle("venvjail: init")
    os.setsid()
    namespaces = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY) for _, name in own]
    # Only now: the files of a non-dumpable process belong to root (ptrace(2), proc(5)), and from
    # here on no jailed process may trace init or look into its /proc directory.
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    syscalls.drop_capabilities()
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    os.umask(0o077)
    wakeup_read, wakeup_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    # The kernel keeps from PID 1 what it has no handler for, but Python has one for this.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    mounts = MountTable()
    descriptors = [*namespaces, *([] if ruleset is None else [ruleset]), *gauges]
    if ruleset is not None:
        syscalls.landlock_restrict_self(ruleset, landlock.restrict_flags())
    if program is not None:
        syscalls.install_filter(program)
    socket.send_fds(channel, [JAIL_READY], descriptors)
    for fd in descriptors:
        os.close(fd)
    _loop(channel, wakeup_read, mounts)
    os._exit(0)


def _loop(channel: socket.socket, wakeup: int, mounts: MountTable) -> None:
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    poll.register(wakeup, select.POLLIN)
    poll.register(mounts, select.POLLPRI)
    while True:
        for fd, _events in poll.poll():
            if fd == wakeup:
                os.read(wakeup, 4096)
                _reap()
            elif fd == mounts.fileno():
                for point in mounts.lost():
                    channel.send(LOST + point)
            elif not _answer(channel):
                return


def _answer(channel: socket.socket) -> bool:
    """Serve one message; False when the supervisor is gone."""
    message = channel.recv(16)
    if message == ADOPTED:
        # The builder, parent until now, has exited; from here on the parent is the supervisor.
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    elif message == COUNT:
        _reap()
        count = sum(name.isdigit() for name in os.listdir("/proc")) - 1
        channel.send(str(count).encode())
    return bool(message)


def _reap() -> None:
    while True:
        try:
            pid, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
