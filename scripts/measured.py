"""Every process of ours: which branches it takes, told to one file that all of them append to.

`scripts/coverage` puts this beside a copy of the tree whose packages import it first, so that it
runs wherever they do: in the tests, in an entry under ``python -IS``, in a supervisor, builder and
init.  Those close what they do not know, cannot write where they are confined to, see other mounts,
and end by ``_exit``, exec or a signal of their own.  So the record is kept in memory and appended
to a descriptor that is open before all that, just before each of these ends.  What another ends by
SIGKILL is not told, but for init, which tells when it is ready and when it sends.
"""

from __future__ import annotations

import atexit
import json
import os
import posix
import socket
import sys
import zlib
from collections.abc import Callable
from typing import Any

RECORDS = "@RECORDS@"
LIBRARIES = "@LIBRARIES@"
SOURCES = ("fusefs", "venvjail")
_HIGH = 600
"""Above what tests count, and below the usual limit of 1,024."""


class Teller:
    """Appends what was measured; ``descriptor`` is -1 while the file is not open."""

    def __init__(self) -> None:
        before = list(sys.path)
        sys.path.append(LIBRARIES)
        try:
            import coverage
        finally:
            sys.path[:] = before
        here = os.path.dirname(os.path.abspath(__file__))
        self._coverage = coverage.Coverage(
            data_file=None,
            branch=True,
            config_file=False,
            include=[f"{here}/{source}/*" for source in SOURCES],
            check_preimported=False,
        )
        self._coverage.set_option("run:disable_warnings", ["no-data-collected"])
        self._descriptor = -1
        self.open()
        self._coverage.start()
        self._coverage.get_data()  # imports what it needs as long as there is something to import
        os.register_at_fork(before=self.open)

    def open(self) -> None:
        """Open the file, unless it still is: an entry closes what it has not opened itself."""
        try:
            if os.path.samestat(os.fstat(self._descriptor), os.stat(RECORDS)):
                return
        except OSError:
            pass
        try:
            fd = os.open(RECORDS, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except OSError:
            return
        self._descriptor = posix_duplicate(fd)
        os.close(fd)

    def tell(self) -> None:
        """Append what was measured until now."""
        self.open()
        try:
            data = self._coverage.get_data()
            arcs = {file: data.arcs(file) for file in data.measured_files()}
            record = zlib.compress(json.dumps(arcs).encode())
            os.write(self._descriptor, len(record).to_bytes(8, "big") + record)
        except Exception as error:  # noqa: BLE001 - measuring must not change what is measured
            if os.environ.get("MEASURED_DEBUG"):
                os.write(2, f"measured: {error!r}\n".encode())

    def first(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, told before."""

        def told(*args: Any, **kwargs: Any) -> Any:
            self.tell()
            return call(*args, **kwargs)

        return told

    def first_where(
        self, holds: Callable[..., bool], call: Callable[..., Any]
    ) -> Callable[..., Any]:
        """The call, told before and after where ``holds`` says so of its arguments."""

        def told(*args: Any, **kwargs: Any) -> Any:
            if not holds(*args):
                return call(*args, **kwargs)
            self.tell()
            result = call(*args, **kwargs)
            self.tell()
            return result

        return told

    def closing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """closerange(), which closes our file too: told before, and opened again after it."""

        def told(*args: Any) -> None:
            self.tell()
            call(*args)
            self.open()

        return told


def posix_duplicate(fd: int) -> int:
    """A duplicate with a high number, where the limit allows one, closed at exec."""
    import fcntl

    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except OSError:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)


def measure() -> None:
    """Begin, once in each process that was not forked off a measured one."""
    teller = Teller()
    atexit.register(teller.tell)
    posix._exit = os._exit = teller.first(os._exit)
    posix.execve = os.execve = teller.first(os.execve)
    posix.kill = os.kill = teller.first_where(_is_own, os.kill)
    # The entry does it where it begins, in the caller's mounts yet; the supervisor where it ends,
    # confined to what it writes.
    posix.closerange = os.closerange = teller.closing(os.closerange)
    socket.send_fds = teller.first(socket.send_fds)
    socket.socket.send = teller.first_where(  # type: ignore[method-assign]
        lambda *_: os.getpid() == 1, socket.socket.send
    )


def _is_own(pid: int, number: int) -> bool:
    """Whether a signal is to end this very process."""
    return pid == os.getpid() and number != 0


if os.path.exists(RECORDS):
    measure()
