"""Calls made by threads: what a deadline leaves behind, what an operation's next run gets."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from fusefs.lanes import TRY_SECONDS, Calls, Lane
from fusefs.slow import Opens, Pending, Primitive, Slow

DEADLINE = 0.2


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    """A descriptor."""
    fd = os.open(tmp_path, os.O_PATH)
    yield fd
    os.close(fd)


class Server:
    """A file system that answers when it is let."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.asked: list[object] = []

    def __call__(self, fd: int, *arguments: object) -> object:
        self.asked.append(arguments)
        assert self.answers.wait(10)
        os.fstat(fd)
        return arguments


async def answer(calls: Calls, work: Callable[[], object]) -> object:
    """The result of an operation, as a request gets it."""
    try:
        return work()
    except Pending as pending:
        return await calls.finish(work, pending)


def run(calls: Calls, work: Callable[[], object]) -> object:
    """The same for one operation alone."""
    return trio.run(answer, calls, work)


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds."""
    with trio.fail_after(10):
        while not condition():
            await trio.sleep(0.01)


def test_an_operation_is_run_until_no_call_is_missing(directory: int) -> None:
    calls = Calls()
    slow = Slow(directory, Lane(calls))
    made: list[str] = []
    runs: list[int] = []
    look = Primitive(lambda fd: (made.append("look"), len(made))[1])
    change = Primitive(lambda fd: made.append("change"), changes=True)

    def work() -> tuple[int, ...]:
        runs.append(len(made))
        first, again = slow.lane.ask(look, slow), slow.lane.ask(look, slow)
        slow.lane.ask(change, slow)
        return first, again, slow.lane.ask(look, slow)

    assert run(calls, work) == (1, 1, 3)
    assert made == ["look", "change", "look"]
    assert runs == [0, 1, 2, 3]


def test_a_change_is_made_once_whatever_the_next_run_does(directory: int) -> None:
    calls = Calls()
    slow = Slow(directory, Lane(calls))
    made: list[str] = []
    change = Primitive(lambda fd, name: made.append(name), changes=True)
    last = Primitive(lambda fd: None)

    def work() -> None:
        if not made:
            slow.lane.ask(change, slow, "first")
        slow.lane.ask(change, slow, "second")
        slow.lane.ask(last, slow)

    run(calls, work)
    assert made == ["first", "second"]


def test_an_error_of_the_call_is_one_of_the_operation(directory: int) -> None:
    calls = Calls()
    slow = Slow(directory, Lane(calls))
    failing = Primitive(lambda fd: os.stat(b"absent", dir_fd=fd))
    with pytest.raises(FileNotFoundError):
        run(calls, lambda: slow.lane.ask(failing, slow))


def test_a_descriptor_that_comes_too_late_is_closed(directory: int, tmp_path: Path) -> None:
    calls = Calls(DEADLINE)
    lane = Lane(calls)
    slow = Slow(directory, lane)
    server = Server()
    (tmp_path / "file").touch()

    def opening(fd: int) -> tuple[object, ...]:
        server(fd)
        return (os.open(b"file", os.O_RDONLY, dir_fd=fd),)

    async def main() -> None:
        before = len(os.listdir("/proc/self/fd"))
        for opens in (Opens.PATH, Opens.FILE):
            late = Primitive(opening, opens=opens)
            with pytest.raises(TimeoutError):
                await answer(calls, lambda late=late: lane.ask(late, slow))
            assert lane.overdue
            server.answers.set()
            await eventually(lambda: not lane.overdue)
            await eventually(lambda: len(os.listdir("/proc/self/fd")) == before)
            server.answers.clear()

    trio.run(main)


def test_what_is_stuck_is_refused_at_once_and_no_other_waits(directory: int) -> None:
    calls = Calls(DEADLINE)
    stuck, other = Lane(calls), Lane(calls)
    server, working = Server(), Server()
    working.answers.set()

    async def ask(lane: Lane, server: Server, number: int) -> object:
        call = Primitive(server)
        return await answer(calls, lambda: lane.ask(call, Slow(directory, lane, 1), number))

    async def main() -> None:
        for number in range(2):  # the second is tried to see whether it has come back
            with pytest.raises(TimeoutError):
                await ask(stuck, server, number)
        begin = time.monotonic()
        for number in range(2, 50):
            with pytest.raises(TimeoutError):
                await ask(stuck, server, number)
        assert time.monotonic() - begin < 48 * min(DEADLINE, TRY_SECONDS)
        assert server.asked == [(0,), (1,)]
        assert await ask(other, working, 7) == (7,)
        server.answers.set()
        await eventually(lambda: not stuck.overdue)
        assert await ask(stuck, server, 3) == (3,)

    trio.run(main)


def test_a_late_change_is_overtaken_by_none(directory: int) -> None:
    calls = Calls(DEADLINE)
    lane = Lane(calls)
    slow = Slow(directory, lane)
    server = Server()
    change = Primitive(server, changes=True)

    async def ask(name: str) -> object:
        return await answer(calls, lambda: lane.ask(change, slow, name))

    async def main() -> None:
        for name in ("first", "second"):
            with pytest.raises(TimeoutError):
                await ask(name)
        assert server.asked == [("first",)]
        server.answers.set()
        await eventually(lambda: not lane.overdue)
        assert await ask("third") == ("third",)

    trio.run(main)
    assert server.asked == [("first",), ("third",)]
