"""System calls on file systems that may never answer: made by threads, waited for with a deadline.

The models run in one thread and await nothing.  A call on a `Slow` descriptor therefore raises
`Pending`, which unwinds the operation; a thread makes the call, and the operation is run again from
its start, with what the call came to in a `Journal`, until no call is missing.  So each run of an
operation sees the tables and the rules of one moment, and no lock is held while it waits.  What
this asks of an operation: no slow call after a change of something that is not slow, which would
be made again, nor a slow change after a change of the tables that the next run would go by.

When the deadline passes, the request is answered ETIMEDOUT, and the change that it asked for may
still happen.  The thread cannot be stopped: it goes on with descriptors of its own, and until it
returns its file system counts as stuck, and requests to it are refused.  Threads are bounded
by file system, so that one that hangs takes nothing from the others, and changes of one file system
are made one after the other, so that one that comes late overtakes none.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import math
import os
import threading
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

import trio

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


class Slow(int):
    """A descriptor on a file system that may take its time: that of ``lane``.

    ``inode`` is the same for duplicates, and for nothing else.
    """

    lane: Lane
    inode: Hashable

    def __new__(cls, fd: int, lane: Lane, inode: Hashable = None) -> Slow:
        """``fd``, which stays the caller's to close."""
        self = super().__new__(cls, fd)
        self.lane = lane
        self.inode = object() if inode is None else inode
        return self


def duplicate(fd: int) -> int:
    """dup(2), as slow as ``fd`` is."""
    copy = os.dup(fd)
    return Slow(copy, fd.lane, fd.inode) if type(fd) is Slow else copy


def close_opened(fd: int) -> None:
    """close(2) of a file opened for I/O: where a network file system writes, so not waited for."""
    if type(fd) is Slow:
        fd.lane.close_soon(fd)
    else:
        os.close(fd)


class Opens(enum.Enum):
    """What a call's result, a tuple, begins with."""

    NOTHING = enum.auto()
    PATH = enum.auto()
    """An O_PATH descriptor: closing it does nothing."""
    FILE = enum.auto()
    """A descriptor for I/O; its call is the last of an operation."""


class Primitive(NamedTuple):
    """A call that a thread can make; ``changes`` says that it changes the file system."""

    function: Callable[..., Any]
    changes: bool = False
    opens: Opens = Opens.NOTHING


class Pending(BaseException):
    """An operation cannot go on without ``call``; nothing in the models may catch it."""

    def __init__(self, key: Hashable, call: Call) -> None:
        super().__init__(key, call)
        self.key = key
        self.call = call


class Call:
    """One call, and what it came to; its descriptors are duplicates of those in ``arguments``."""

    def __init__(self, lane: Lane, primitive: Primitive, arguments: tuple[Any, ...]) -> None:
        self.lane = lane
        self.primitive = primitive
        self.error: Exception | None = None
        self.result: Any = None
        self._arguments = [os.dup(arg) if type(arg) is Slow else arg for arg in arguments]
        self._own = [
            own for own, arg in zip(self._arguments, arguments, strict=True) if own is not arg
        ]
        self._lock = threading.Lock()
        self._running = self._done = self._abandoned = False

    def run(self) -> None:
        """Make the call; in a thread."""
        with self._lock:
            self._running = True
        try:
            self.result = self.primitive.function(*self._arguments)
        except Exception as error:  # noqa: BLE001 - the operation gets it
            self.error = error
        refusal = self._close_own()
        if self.primitive.opens is Opens.NOTHING:
            self.error = self.error or refusal
        with self._lock:
            self._done = True
            if not self._abandoned:
                return
        self.discard()
        self.lane.overdue.discard(self)

    def abandon(self) -> None:
        """Nobody waits for it any more."""
        with self._lock:
            self._abandoned = True
            if self._running and not self._done:
                self.lane.overdue.add(self)
                return
        if self._done:
            self.discard()
        else:
            self._close_own()

    def discard(self) -> None:
        """Close what the call opened, if nobody has it."""
        if self.error is None and self.primitive.opens is Opens.FILE:
            self.lane.close_soon(self.result[0])
        elif self.error is None and self.primitive.opens is Opens.PATH:
            os.close(self.result[0])

    def _close_own(self) -> OSError | None:
        """Close the duplicates; how that failed, as a network file system tells of lost writes."""
        refusal = None
        for fd in self._own:
            try:
                os.close(fd)
            except OSError as error:
                refusal = error
        return refusal


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


class Journal:
    """What the calls of one operation have come to, for its next run.

    A call is the same if function, inodes and arguments are; one that looks also has to come after
    as many changes.  A change is made once, whatever else the next run does.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, Call] = {}
        self._changes = 0

    def begin(self) -> None:
        """The operation is run again."""
        self._changes = 0

    def add(self, pending: Pending) -> None:
        """The call that was missing has been made."""
        call = pending.call
        if call.error is None and call.primitive.opens is not Opens.NOTHING:
            fd, *rest = call.result
            call.result = (Slow(fd, call.lane), *rest)
        self._made[pending.key] = call

    def ask(self, lane: Lane, primitive: Primitive, arguments: tuple[Any, ...]) -> Any:
        """The result of a call; see `Lane.ask`."""
        names = (part.inode if type(part) is Slow else part for part in arguments)
        key = (None if primitive.changes else self._changes, primitive, *names)
        call = self._made.get(key)
        if call is None:
            raise Pending(key, Call(lane, primitive, arguments))
        if primitive.changes:
            self._changes += 1
        if call.error is not None:
            raise call.error
        if primitive.opens is Opens.FILE:
            del self._made[key]
        elif primitive.opens is Opens.PATH:
            fd, *rest = call.result
            return (duplicate(fd), *rest)
        return call.result

    def close(self) -> None:
        """Give back what nobody took."""
        for call in self._made.values():
            call.discard()


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
