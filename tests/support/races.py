"""Starts, stops and ends of a jail that meet: short in CI, long in the soak."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.home import FakeHome
from tests.support.jail import VENVJAIL, JailedVenv
from tests.support.live import user_config
from tests.support.processes import Process
from tests.support.running import running, start, supervisors
from tests.support.waiting import eventually


@contextmanager
def lingering(jail: JailedVenv, seconds: float) -> Iterator[None]:
    """The user's config says so in the block; no jail runs at its begin."""
    jail.stop()
    config = user_config(jail.home, f"[jail]\nlinger = {seconds}\n")
    try:
        yield
    finally:
        config.unlink()


def start_against_stop(jail: JailedVenv, rounds: int) -> None:
    """A command runs to its end or is killed by the stop; what it never does is run outside."""
    code = "import os; print(os.environ['VENVJAIL'])"
    jail.stop()
    for _ in range(rounds):
        stop = _stop(jail.home, jail)
        done = jail.home.run([jail.bin / "python", "-c", code])
        assert stop.wait(timeout=30) == 0
        if done.returncode == 0:
            assert done.stdout == f"{jail.env}\n"
        else:
            assert done.returncode == -signal.SIGKILL or "run the command again" in done.stderr
        assert len(supervisors(jail)) <= 1
    assert jail.python("print(1)") == "1"
    assert supervisors(jail) == [running(jail).supervisor]


def _stop(home: FakeHome, jail: JailedVenv) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*VENVJAIL, "stop", jail.env],
        env=home.env,
        cwd=home.project,
        stdout=subprocess.DEVNULL,
    )


def command_against_linger(jail: JailedVenv, rounds: int, jails: int) -> None:
    """A jail that ends by itself lets no command down: each runs, in that jail or a new one.

    Until ``jails`` of them were seen, or ``rounds`` commands have run.
    """
    seen: set[int] = set()
    with lingering(jail, 0.02):
        for attempt in range(rounds):
            # Later each time, so that the start comes to meet the end.
            time.sleep(attempt % 100 / 2000)
            assert jail.python("print('ran')") == "ran"
            now = supervisors(jail)
            assert len(now) <= 2  # the one that ends, and its successor
            seen.update(now)  # not namespaces: a new one may have the number of one that is gone
            if len(seen) > jails:
                break
    assert len(seen) > 1


def kill_while_it_starts(jail: JailedVenv, delays: Iterator[float]) -> None:
    """The supervisor is killed that long after it is there: the next command has a jail."""
    for delay in delays:
        jail.stop()
        command = start(jail, "-c", "print('ran')")
        pid = eventually(lambda: supervisors(jail), "a supervisor starts")[0]
        children = _family(pid)
        time.sleep(delay)
        children |= _family(pid)
        os.kill(pid, signal.SIGKILL)
        output, errors = command.communicate(timeout=60)
        if command.returncode == 0:
            assert output == "ran\n"  # it had ended before, or found the jail dead and made another
        else:
            assert command.returncode == -signal.SIGKILL or errors.startswith("venvjail: ")
            assert "Traceback" not in errors
        deadline = time.monotonic() + 10
        for process in children:
            assert process.ended(deadline), f"outlives its supervisor: {process}"
            process.close()
        assert jail.python("print('again')") == "again"
        assert supervisors(jail) == [running(jail).supervisor]


def _family(supervisor: int) -> set[Process]:
    """Builder and init, whoever of them is there."""
    found = set()
    try:
        with open(f"/proc/{supervisor}/task/{supervisor}/children", encoding="ascii") as file:
            for pid in file.read().split():
                found.add(Process(int(pid)))
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found
