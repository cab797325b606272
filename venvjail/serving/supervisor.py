"""Supervisor (host's namespaces): the process of a running jail that serves its view.

It forks the builder at once and then imports trio and pyfuse3, which takes as long as building the
jail does: so before the fork it imports next to nothing, and what else it needs after it.  It never
enters the jail's namespaces, so it never sees its own mount.
"""

from __future__ import annotations

import _socket
import gc
import os
import sys

from venvjail import syscalls
from venvjail.layout import VenvPaths

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal


def main(venv: str, lock: int, ready: int, network: str) -> None:
    """Serve the jail of ``venv`` until it ends.

    ``lock`` is the held start lock, ``ready`` a pipe to whoever started us: ``R`` goes there when
    commands can join, ``E``, an exit status of three digits and one line when they cannot.
    ``network`` is the mode of ``--network``, or empty.
    """
    os.set_inheritable(lock, False)
    os.set_inheritable(ready, False)
    # Imports make objects that stay: to look for garbage among them is a tenth of their time.
    gc.disable()
    paths = VenvPaths(venv)
    channel, builder_pid = _fork_builder(paths, (lock, ready), network)
    import socket

    try:
        from setproctitle import setproctitle

        from venvjail.titles import supervisor_title

        setproctitle(supervisor_title(venv))
        from venvjail.serving import deferred

        deferred.defer(deferred.UNUSED)
        from venvjail.serving import service
    except ImportError as error:
        _say_missing(ready, error)
        raise
    gc.freeze()  # nor later
    gc.enable()
    status = service.run(paths, socket.socket(fileno=channel), builder_pid, lock, ready)
    # A thread that waits for a network file system which hangs keeps the process, maybe for long,
    # but not the start lock and what else it has open: the next jail can start.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    sys.exit(status)


def _say_missing(ready: int, error: ImportError) -> None:
    """A module of ours cannot be imported, or libfuse is gone since pyfuse3 was built for it."""
    from venvjail.doctor.remedies import for_import, this_distribution
    from venvjail.errors import EXIT_NO_JAIL

    line = f"E{EXIT_NO_JAIL}{for_import(error, this_distribution())}"
    os.write(ready, line.encode("utf-8", "surrogateescape"))


def _fork_builder(paths: VenvPaths, ours: tuple[int, ...], network: str) -> tuple[int, int]:
    """The descriptor of the socket to the builder (later to init) and the builder's pid."""
    pair = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    channel, theirs = (end.detach() for end in pair)
    # When the builder exits, init becomes our child, so that it dies with us (PDEATHSIG).
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    pid = os.fork()
    if pid == 0:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, _signal.SIGKILL)
        for fd in (channel, *ours):
            os.close(fd)
        import socket

        from venvjail.building import builder

        gc.enable()
        builder.run(socket.socket(fileno=theirs), paths, network)
    os.close(theirs)
    return channel, pid
