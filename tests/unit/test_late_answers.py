"""Threads of the supervisor that answer too late: their answers are not taken for others.

Those threads never end, so each test is a process of its own.
"""

import os
import subprocess
import sys

from tests.support.home import TREE

WITNESS = """
import os, queue
from venvjail.audit.witness import Witness
own = os.readlink("/proc/self/exe")
"""
METER = """
import threading
import trio
from venvjail.memory import meter
from venvjail.memory.look import Look
def run(test):
    async def limited():
        with trio.fail_after(20):
            await test()
    trio.run(limited)
"""


def check(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(TREE)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_a_witness() -> None:
    """The other answer is to a question that was given up."""
    check(f"""{WITNESS}
witness = Witness()
assert witness.executable(os.getpid()) == own
witness._answers.put((1, "/sbin/init"))
assert witness.executable(os.getpid()) == own
assert witness.executable(1 << 30) is None
""")


def test_a_witness_that_is_held_up() -> None:
    check(f"""{WITNESS}
witness = Witness.__new__(Witness)
witness._questions, witness._answers = queue.SimpleQueue(), queue.SimpleQueue()
assert witness.executable(os.getpid()) is None
""")


def test_a_meter_takes_one_look_at_a_time() -> None:
    check(f"""{METER}
go_on = threading.Event()
def exact(*asked):
    go_on.wait(20)
    return Look((), 0)
meter.exact = exact
async def test():
    asked = meter.Meter()
    first = asked.ask(None, (), 0)
    assert first is not None
    assert asked.ask(None, (), 0) is None
    go_on.set()
    await first.answered.wait()
    assert first.answer == Look((), 0)
    assert asked.ask(None, (), 0) is not None
run(test)
""")


def test_a_look_that_fails() -> None:
    """The jail's memory cannot be read: answered, and with nothing."""
    check(f"""{METER}
async def test():
    question = meter.Meter().ask(None, (), 0)
    await question.answered.wait()
    assert question.answer is None
run(test)
""")
