"""Supervisor (host's namespaces): the process of a running jail that serves its view.

It forks the builder at once and then imports trio and pyfuse3, which takes as long as building the
jail does.  It never enters the jail's namespaces, so it never sees its own mount.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from setproctitle import setproctitle

from venvjail import syscalls
from venvjail.jail import deferred
from venvjail.layout import VenvPaths
from venvjail.titles import supervisor_title


def main(venv: str, lock: int, ready: int) -> None:
    """Serve the jail of ``venv`` until it ends.

    ``lock`` is the held start lock, ``ready`` a pipe to whoever started us: ``R`` goes there when
    commands can join, ``E``, an exit status of three digits and one line when they cannot.
    """
    setproctitle(supervisor_title(venv))
    os.set_inheritable(lock, False)
    os.set_inheritable(ready, False)
    paths = VenvPaths(venv)
    channel, builder_pid = _fork_builder(paths, (lock, ready))
    deferred.defer(deferred.OF_TRIO)
    from venvjail.jail import service

    sys.exit(service.run(paths, channel, builder_pid, lock, ready))


def _fork_builder(paths: VenvPaths, ours: tuple[int, ...]) -> tuple[socket.socket, int]:
    """The socket to the builder (later to init) and the builder's pid."""
    channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # When the builder exits, init becomes our child, so that it dies with us (PDEATHSIG).
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    pid = os.fork()
    if pid == 0:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        channel.close()
        for fd in ours:
            os.close(fd)
        from venvjail.jail import builder

        builder.run(theirs, paths)
    theirs.close()
    return channel, pid
