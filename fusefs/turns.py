"""How pyfuse3's tasks take turns at reading requests: through the ``trio`` that it is given.

pyfuse3's loop (`_session_loop` and `_wait_fuse_readable` in its internal.pxi) is run by several
tasks, and each repeats: take a lock, wait until /dev/fuse is readable, give the lock back, read one
request, answer it.  The tasks take the lock in order, so the next request is never for the task
that has just answered: another one has to be woken first, which costs one more turn of trio's loop
for each request, a third of all that a request takes.  Nearly all our answers wait for nothing.

There is no option for that, but pyfuse3 looks up `trio` as a global name of its module whenever it
uses it: `pyfuse3.asyncio` puts a stand-in there, and so does this module, with two differences to
the real one:

* `Lock()` is a `Turn`.  A task that comes back for it before it has given way to others keeps it;
  only when a task stops without it (its answer waits for a slow file system) another one is woken.
* `open_nursery()` restarts tasks that end by BlockingIOError.  A request whose process is killed
  leaves the queue again, pyfuse3 takes the empty queue for an error, and that would cancel the
  tasks that still wait for a slow file system and leave their clients without an answer for ever.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pyfuse3
import trio


class Turn(trio.abc.Instrument):
    """In place of the lock: given on when a step of a task ends without it.

    A step, in trio's sense, is what a task does until it gives way to others.
    """

    def __init__(self) -> None:
        self._taken = False
        self._waiting = trio.lowlevel.ParkingLot()

    async def __aenter__(self) -> None:
        while self._taken:
            await self._waiting.park()
        self._taken = True

    async def __aexit__(self, *_: object) -> None:
        self._taken = False

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """Whoever had the turn has answered, waits for something, or has ended."""
        if not self._taken and self._waiting:
            self._waiting.unpark()


class _Tasks:
    """In place of a nursery: tasks that survive an empty queue."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery

    def start_soon(
        self, function: Callable[..., Awaitable[object]], *args: object, name: object = None
    ) -> None:
        """As the nursery's."""

        async def read_on() -> None:
            while True:
                try:
                    await function(*args)
                except BlockingIOError:
                    continue
                return

        self._nursery.start_soon(read_on, name=name)


class _Trio:
    """trio with these two things changed; `pyfuse3.asyncio` replaces it in the same way."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def Lock(self) -> Turn:  # noqa: N802 - trio's name for it
        return self._turn

    @contextlib.asynccontextmanager
    async def open_nursery(self) -> AsyncIterator[_Tasks]:
        async with trio.open_nursery() as nursery:
            yield _Tasks(nursery)

    def __getattr__(self, name: str) -> Any:
        return getattr(trio, name)


@contextlib.contextmanager
def in_turn() -> Iterator[None]:
    """Let pyfuse3's loop run so; to be entered before `pyfuse3.init`, within trio."""
    turn = Turn()
    trio.lowlevel.add_instrument(turn)
    vars(pyfuse3)["trio"] = _Trio(turn)
    try:
        yield
    finally:
        vars(pyfuse3)["trio"] = trio
        trio.lowlevel.remove_instrument(turn)
