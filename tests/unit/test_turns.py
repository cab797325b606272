"""Tasks that take turns at reading: one at a time, and none is lost."""

from __future__ import annotations

import trio
import trio.testing

from fusefs import turns


def test_an_empty_queue_ends_no_task() -> None:
    attempts = []
    answered = trio.Event()

    async def reads_nothing_first() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise BlockingIOError
        answered.set()

    async def main() -> None:
        with turns.in_turn():
            import pyfuse3

            async with vars(pyfuse3)["trio"].open_nursery() as nursery:
                nursery.start_soon(answered.wait, name="one that waits for a file system")
                nursery.start_soon(reads_nothing_first)

    trio.run(main)
    assert len(attempts) == 3


def test_the_turn_is_kept_in_a_step_and_given_on_when_a_task_waits() -> None:
    order: list[str] = []

    async def reader(turn: turns.Turn, name: str, waits: trio.Event | None) -> None:
        for number in range(2):
            async with turn:
                order.append(f"{name}{number}")
            if waits is not None:
                await waits.wait()

    async def main() -> None:
        turn = turns.Turn()
        trio.lowlevel.add_instrument(turn)
        go_on = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader, turn, "waiting", go_on)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(reader, turn, "quick", None)
            await trio.testing.wait_all_tasks_blocked()
            go_on.set()

    trio.run(main)
    assert order == ["waiting0", "quick0", "quick1", "waiting1"]


def test_a_task_that_ends_gives_the_turn_on() -> None:
    ended = []

    async def reader(turn: turns.Turn, forever: bool) -> None:
        async with turn:
            await trio.testing.wait_all_tasks_blocked()
        ended.append(forever)

    async def main() -> None:
        turn = turns.Turn()
        trio.lowlevel.add_instrument(turn)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reader, turn, True)
            nursery.start_soon(reader, turn, False)

    trio.run(main)
    assert sorted(ended) == [False, True]
