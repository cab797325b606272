"""How pyfuse3's tasks take turns at reading requests: through the ``trio`` that it is given.

pyfuse3 keeps a second task that reads the next request while the first answers, and hands the
reading on by a lock, which costs one more turn of trio's loop for each request, a third of all that
a request takes.  Nearly all our answers wait for nothing, so here the task that has answered reads
on, and another one gets the turn only when a task stops without it.

A request whose process is killed leaves the queue again.  pyfuse3 takes the empty queue for an
error, which would cancel the tasks that still wait for a slow file system, and leave their clients
without an answer for ever.  Here such a task begins again.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pyfuse3
import trio


class Turn(trio.abc.Instrument):
    """In place of the lock: kept until the end of a step in which it was not taken again."""

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
