"""Witness (host's namespaces): tell the supervisor which program a process runs.

Reading ``/proc/PID/exe`` takes the rights of ptrace(2), which Landlock denies the supervisor for
every process outside of its own domain.  This process, forked before the supervisor restricts
itself, keeps them and does nothing else: it gets a pid and answers with a path.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterable

from setproctitle import setproctitle

from venvjail import syscalls

_ANSWER_SECONDS = 1.0
_PATH_LIMIT = 65536


class Witness:
    """The supervisor's side: ask the process that ``start`` has forked."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def executable(self, pid: int) -> str | None:
        """The path of the program that ``pid`` runs; None when it has ended or is not ours."""
        try:
            self._connection.send(str(pid).encode())
            answer = self._connection.recv(_PATH_LIMIT)
        except OSError:
            return None
        return os.fsdecode(answer) if answer != _NOTHING else None


#: In place of a path: an empty packet would look like the end of the connection.
_NOTHING = b"-"


def start(ours: Iterable[int]) -> Witness:
    """Fork the witness; it ends with its parent.  ``ours`` are descriptors that it closes."""
    connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        try:
            connection.close()
            for fd in ours:
                os.close(fd)
            _serve(theirs)
        finally:
            os._exit(1)
    theirs.close()
    connection.settimeout(_ANSWER_SECONDS)
    return Witness(connection)


def _serve(connection: socket.socket) -> None:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    setproctitle("venvjail: witness")
    while pid := connection.recv(32):
        try:
            answer = os.readlink(b"/proc/" + pid + b"/exe")
        except OSError:
            answer = _NOTHING
        connection.send(answer)
    os._exit(0)
