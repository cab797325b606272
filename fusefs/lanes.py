"""The threads that make calls on file systems that may never answer: bounded, with a deadline.

When the deadline passes, the request is answered ETIMEDOUT, and the change that it asked for may
still happen.  The thread cannot be stopped: it goes on with descriptors of its own, and until it
returns its file system counts as stuck, and requests to it are refused.  Threads are bounded
by file system, so that one that hangs takes nothing from the others, and changes of one file system
are made one after the other, so that one that comes late overtakes none.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import trio

from fusefs.slow import Call, Journal, Pending, Primitive, Slow

DEADLINE_SECONDS = 20.0
"""How long a request waits for a file system: what a network needs that stumbles."""
RETRY_SECONDS = 5.0
"""How often a call is tried on a file system that is stuck; all others are refused at once.

Of those who look for one name the kernel sends one at a time: together they would wait long."""
TRY_SECONDS = 1.0
"""How long such a call is waited for."""

_READERS = 8
_MOST_WAITING = 32  # requests for one file system: pyfuse3 has 99 tasks for all

Result = TypeVar("Result")


class Lane:
    """One file system and its threads.  A patient one has no deadline: a disk may take seconds."""

    def __init__(self, calls: Calls, *, patient: bool = False) -> None:
        self.overdue: set[Call] = set()
        self._calls = calls
        self._patient = patient
        self._waiting = 0
        self._tried = -math.inf
        self._readers = trio.CapacityLimiter(_READERS)
        self._changers = trio.CapacityLimiter(1)
        self._closing: list[int] = []
        self._closer: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """How long a request may wait for it."""
        if self._patient:
            return math.inf
        return min(TRY_SECONDS, self._calls.seconds) if self.overdue else self._calls.seconds

    def ask(self, primitive: Primitive, *arguments: Any) -> Any:
        """The result of a call, which is `Pending` if it has not been made for this operation."""
        return self._calls.journal.ask(self, primitive, arguments)

    async def make(self, call: Call) -> None:
        """Let a thread make the call."""
        if not self._admits():
            call.abandon()
            raise timed_out()
        limiter = self._changers if call.primitive.changes else self._readers
        self._waiting += 1
        try:
            await trio.to_thread.run_sync(call.run, abandon_on_cancel=True, limiter=limiter)
        except BaseException:
            call.abandon()
            raise
        finally:
            self._waiting -= 1

    def _admits(self) -> bool:
        """Whether a call is worth a thread."""
        if not self.overdue:
            return self._waiting < _MOST_WAITING
        now = trio.current_time()
        if len(self.overdue) >= _READERS or now - self._tried < RETRY_SECONDS:
            return False
        self._tried = now
        return True

    def close_soon(self, fd: int) -> None:
        """Close ``fd`` in a thread, of which there is one at most."""
        with self._lock:
            self._closing.append(int(fd))
            if self._closer is None:
                self._closer = threading.Thread(target=self._close, name="closer", daemon=True)
                self._closer.start()

    def _close(self) -> None:
        while True:
            with self._lock:
                if not self._closing:
                    self._closer = None
                    return
                fd = self._closing.pop()
            with contextlib.suppress(OSError):  # EIO: the program has had it from its own close(2)
                os.close(fd)


class Calls:
    """The slow calls of one view; a request waits ``seconds`` for them."""

    def __init__(self, seconds: float = DEADLINE_SECONDS) -> None:
        self.seconds = seconds
        self._nothing_made = self.journal = Journal()
        self._disk = Lane(self, patient=True)

    @property
    def waited(self) -> bool:
        """Whether the operation that is run now has waited for a slow call already."""
        return self.journal is not self._nothing_made

    def lane(self) -> Lane:
        """One for another file system."""
        return Lane(self)

    def patient(self, fd: int) -> Slow:
        """``fd`` for a call that a thread is to make on any file system."""
        return fd if type(fd) is Slow else Slow(fd, self._disk, fd)

    async def finish(self, work: Callable[[], Result], pending: Pending) -> Result:
        """The result of an operation that came to a slow call; raises ETIMEDOUT."""
        begin = trio.current_time()
        journal = Journal()
        try:
            while True:
                with trio.move_on_at(begin + pending.call.lane.seconds) as scope:
                    await pending.call.lane.make(pending.call)
                if scope.cancelled_caught:
                    raise timed_out()
                journal.add(pending)
                try:
                    return self._run(work, journal)
                except Pending as missing:
                    pending = missing
        finally:
            journal.close()

    def _run(self, work: Callable[[], Result], journal: Journal) -> Result:
        journal.begin()
        self.journal = journal
        try:
            return work()
        finally:
            self.journal = self._nothing_made


def timed_out() -> OSError:
    """ETIMEDOUT: the file system did not answer in time."""
    return OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
