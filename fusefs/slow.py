"""System calls on file systems that may never answer: made by threads, waited for with a deadline.

The models run in one thread and await nothing.  A call on a `Slow` descriptor therefore raises
`Pending`, which unwinds the operation; a thread makes the call, and the operation is run again from
its start, with what the call came to in a `Journal`, until no call is missing.  So each run of an
operation sees the tables and the rules of one moment, and no lock is held while it waits.  What
this asks of an operation: no slow call after a change of something that is not slow, which would
be made again, nor a slow change after a change of the tables that the next run would go by.

The threads are `fusefs.lanes`; nothing here needs trio, which whoever only looks does not load.
"""

from __future__ import annotations

import enum
import os
import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from fusefs.lanes import Lane


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
