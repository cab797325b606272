"""Threads of the supervisor that answer too late: their answers are not taken for others."""

import os
import queue
import threading

import trio

from venvjail.audit.witness import Witness
from venvjail.memory import meter as metering
from venvjail.memory.look import Look
from venvjail.memory.meter import Meter


def test_a_witness() -> None:
    witness = Witness()
    own = os.readlink("/proc/self/exe")
    assert witness.executable(os.getpid()) == own
    witness._answers.put((1, "/sbin/init"))  # asked before, and given up
    assert witness.executable(os.getpid()) == own
    assert witness.executable(1 << 30) is None


def test_a_witness_that_is_held_up() -> None:
    witness = Witness.__new__(Witness)
    witness._questions, witness._answers = queue.SimpleQueue(), queue.SimpleQueue()
    assert witness.executable(os.getpid()) is None


def test_a_meter_takes_one_look_at_a_time() -> None:
    go_on = threading.Event()

    def exact(*_asked: object) -> Look:
        go_on.wait(20)
        return Look((), 0)

    async def ask() -> None:
        meter = Meter()
        first = meter.ask(None, (), 0)  # type: ignore[arg-type]  # nothing is read of them here
        assert first is not None
        assert meter.ask(None, (), 0) is None  # type: ignore[arg-type]
        go_on.set()
        with trio.fail_after(20):
            await first.answered.wait()
        assert first.answer == Look((), 0)
        assert meter.ask(None, (), 0) is not None  # type: ignore[arg-type]

    saved = metering.exact
    metering.exact = exact
    try:
        trio.run(ask)
    finally:
        metering.exact = saved


def test_a_look_that_fails(caplog: object) -> None:
    async def ask() -> None:
        question = Meter().ask(None, (), 0)  # type: ignore[arg-type]  # which is the failure
        assert question is not None
        with trio.fail_after(20):
            await question.answered.wait()
        assert question.answer is None

    trio.run(ask)
