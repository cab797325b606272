"""What is held of memory, who is killed, when the next look is."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio
from trio.testing import MockClock

from venvjail.memory import guard, look, meter, readings
from venvjail.memory.look import Look, Share, Verdict, judge, pause, spelled
from venvjail.memory.readings import Sources

LIMIT = 1000


def of(*sizes: int, files: int = 0) -> Look:
    return Look(tuple(Share(pid, size, 0) for pid, size in enumerate(sizes, 2)), files)


def killed(verdict: Verdict) -> list[int]:
    assert not verdict.end
    return [share.pid for share in verdict.kill]


def test_nobody_below_the_limit() -> None:
    assert judge(of(600, 400), LIMIT, 0) == Verdict()
    assert judge(of(), LIMIT, look.STRIKES) == Verdict()


def test_the_largest_and_no_more_than_it_takes() -> None:
    assert killed(judge(of(200, 700, 300), LIMIT, 0)) == [3]
    assert killed(judge(of(*[300] * 6), LIMIT, 0)) == [2, 3, 4]
    assert killed(judge(of(300, 200, 800, files=300), LIMIT, 0)) == [4]


def test_the_jail_where_killing_is_no_remedy() -> None:
    assert judge(of(10, files=LIMIT + 1), LIMIT, 0).end
    assert judge(of(10, files=LIMIT - 1), LIMIT, 0).end
    assert judge(of(2 * LIMIT + 1), LIMIT, 0).end
    assert not judge(of(LIMIT + 1), LIMIT, look.STRIKES - 1).end
    assert judge(of(LIMIT + 1), LIMIT, look.STRIKES).end


def test_a_file_that_is_mapped_counts_once() -> None:
    mapped = Look((Share(2, 100, 500),), 500)
    assert mapped.total == 600
    assert mapped.without({2}).total == 500


def test_looks_are_more_frequent_near_the_limit_and_cost_little() -> None:
    limit = 8 << 30
    assert pause(0, limit, 0) == 0.25
    assert pause(limit - (1 << 28), limit, 0) == 0.0625
    assert pause(limit, limit, 0) == pause(2 * limit, limit, 0) == look.OFTEN
    assert pause(limit, limit, 0.03) == pytest.approx(0.3)
    assert pause(limit, limit, 7) == 1


@pytest.mark.parametrize(
    ("size", "text"),
    [(2 << 30, "2 GiB"), (2040109465, "1.9 GiB"), (160 << 20, "160 MiB"), (0, "0 MiB")],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert spelled(size) == text


@pytest.fixture
def sources() -> Sources:
    """Of the test's own namespace, in which a process is found by its pid."""
    return Sources(os.open("/proc", os.O_RDONLY), os.open("/dev/null", os.O_RDONLY), ())


def test_a_shared_page_counts_once(sources: Sources) -> None:
    size = 32 << 20
    block = b"x" * size
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        rough = {one.pid: one for one in readings.rough(sources, readings.Machine()).shares}
        (exact,) = readings.exact(sources, [os.getpid()], 0).shares
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert len(block) == size
    assert rough[child].private > size
    assert rough[os.getpid()].private > size
    assert size / 3 < exact.private < rough[os.getpid()].private - size / 3


def test_enough_is_enough(sources: Sources) -> None:
    found = readings.exact(sources, [os.getpid()], 0)
    assert [one.pid for one in found.shares] == [os.getpid()]


def test_a_name_that_looks_like_a_field(sources: Sources) -> None:
    own = Path("/proc/self/comm")
    name = own.read_text()
    own.write_text("RssShmem:\t9 kB")
    try:
        share = next(
            one
            for one in readings.rough(sources, readings.Machine()).shares
            if one.pid == os.getpid()
        )
    finally:
        own.write_text(name)
    assert share.private > 1 << 20


def test_find_is_of_the_process_that_was_meant(sources: Sources) -> None:
    own = os.getpid()
    found = readings.find(sources.proc, Share(own, 1, 0))
    assert found is not None
    process, command = found
    assert os.path.basename(command.split()[0]).startswith("python")
    os.close(process)
    assert readings.find(sources.proc, Share(own, 1 << 50, 0)) is None
    assert readings.find(sources.proc, Share(2**22 + 1, 1, 0)) is None


class Empty:
    """As much of a running jail as the guard looks at: one in which nothing is."""

    def __init__(self) -> None:
        self.prepared = SimpleNamespace(facts=SimpleNamespace(memory=LIMIT))
        self.leases: list[int] = []
        self.changed = trio.Event()
        self.gauges = [-1, -1]


def test_an_empty_jail_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    def count(*_: object) -> Look:
        looks.append(trio.current_time())
        return of()

    async def main() -> None:
        jail = Empty()
        async with trio.open_nursery() as nursery:
            watched = guard.Guard(jail, meter.Meter(), nursery.cancel_scope)  # type: ignore[arg-type] # as much of one as it needs
            nursery.start_soon(watched.watch)
            await trio.sleep(1000)
            assert len(looks) == 1
            jail.leases.append(1)
            jail.changed.set()
            jail.changed = trio.Event()
            await trio.sleep(10)
            busy = len(looks)
            assert busy > 20
            jail.leases.clear()
            await trio.sleep(1000)
            assert len(looks) <= busy + 2
            nursery.cancel_scope.cancel()

    monkeypatch.setattr(guard, "rough", count)
    trio.run(main, clock=MockClock(autojump_threshold=0))


class Told:
    """A meter whose answers are there already."""

    def __init__(self, *answers: Look) -> None:
        self._answers = list(answers)

    def ask(self, *_: object) -> SimpleNamespace:
        answered = trio.Event()
        answered.set()
        return SimpleNamespace(answered=answered, answer=self._answers.pop(0), cost=0.0)


@pytest.mark.parametrize(("second", "victims"), [(of(600), []), (of(600, 600), [2])])
def test_nobody_is_killed_for_a_child_of_vfork(
    monkeypatch: pytest.MonkeyPatch, second: Look, victims: list[int]
) -> None:
    """It has its parent's memory once more, but not for long."""
    killed: list[int] = []

    def kill(_: guard.Guard, shares: tuple[Share, ...]) -> None:
        killed.extend(share.pid for share in shares)

    async def main() -> None:
        told = Told(of(600, 600), second)
        async with trio.open_nursery() as nursery:
            watched = guard.Guard(Empty(), told, nursery.cancel_scope)  # type: ignore[arg-type] # as much of them as it needs
            nursery.start_soon(watched.watch)
            await trio.sleep(0.015)
            nursery.cancel_scope.cancel()

    monkeypatch.setattr(guard, "rough", lambda *_: of(600, 600))
    monkeypatch.setattr(guard.Guard, "_kill", kill)
    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert killed == victims
