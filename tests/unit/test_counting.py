"""The count of a jail's processes: what no answer means, and one that comes too late."""

import socket
from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock

from venvjail.building.channel import COUNT
from venvjail.serving.running import Jail


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, inits = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with ours, inits:
        yield ours, inits


async def count(ends: tuple[socket.socket, socket.socket], *late: int) -> int | None:
    """As asked by a supervisor to whose task that reads init's answers ``late`` ones came."""
    jail = Jail(None, ends[0], None, None, None, None, [])
    for answer in late:
        jail.answers[0].send_nowait(answer)
    return await jail.count_processes()


def test_no_answer_is_not_an_empty_jail(ends: tuple[socket.socket, socket.socket]) -> None:
    assert trio.run(count, ends, clock=MockClock(autojump_threshold=0)) is None
    assert ends[1].recv(16) == COUNT


def test_an_answer_that_was_late_is_not_the_next_one(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    assert trio.run(count, ends, 0, clock=MockClock(autojump_threshold=0)) is None


def test_after_its_end_nothing_is_left(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].close()
    assert trio.run(count, ends) == 0
