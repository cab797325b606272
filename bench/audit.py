"""Usage: audit.py [TIMES].  What the audit costs a program that is refused.

Mounts the view of a throw-away home through fusermount3, once with the recorder and once with an
observer that does nothing, in turns, and times what makes events: lookups of hidden names, in a
storm of nothing else and with one file that is shown read for each of them, and files created.  Of
as many different names as a program asks for, and of many more.  Prints microseconds of processor
time for each, the program's and the server's together, which a busy machine does not disturb as it
does the time on the clock.  Runs as an ordinary user.
"""

import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import trio

from fusefs.events import Event
from fusefs.operations import Operations
from fusefs.rules import Kind, Rule, Rules
from fusefs.serve import serve
from fusefs.view import ViewSettings
from venvjail.audit.programs import Programs
from venvjail.audit.recorder import Recorder
from venvjail.audit.sensitivity import Sensitivity
from venvjail.audit.witness import Witness
from venvjail.config.sensitive import SENSITIVE

_FEW, _MANY = 50, 1000
_ROUNDS = 9


def ignore(event: Event) -> None:
    """The observer to compare with."""


async def serve_view(base: Path, ready: int, record: bool) -> None:
    """Serve until SIGTERM; ``ready`` gets a byte when lookups can begin."""
    rules = Rules([Rule(b".bashrc", Kind.ALLOW)])
    settings = ViewSettings(os.fsencode(base / "home"), os.fsencode(base / "store"), rules)
    recorder = Recorder(
        str(base / "audit.sqlite"),
        "/home/alice",
        Programs(Witness().executable),
        Sensitivity(SENSITIVE),
        lambda *_: None,
    )
    operations = Operations(settings, recorder.observe if record else ignore)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder.write_batches)
        nursery.start_soon(_stop, nursery.cancel_scope)
        await serve(
            operations,
            str(base / "mnt"),
            options=frozenset({"default_permissions"}),
            ready=lambda: os.close(ready),
        )
    recorder.close()


async def _stop(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


def look(home: Path, name: str) -> None:
    """One event, and nothing else."""
    os.access(home / name, os.F_OK)


def look_and_read(home: Path, name: str) -> None:
    """One event, and a file read."""
    os.access(home / name, os.F_OK)
    with open(home / ".bashrc", "rb", buffering=0) as file:
        file.read(4096)


def create(home: Path, name: str) -> None:
    """One event, a file made; and removed."""
    made = home / f"made-{name}"
    with open(made, "xb", buffering=0) as file:
        file.write(b"x" * 4096)
    os.unlink(made)


_WORK = {"a refused lookup": look, "one, and a file read": look_and_read, "a new file": create}


def measure(
    base: Path, times: int, names: int, work: Callable[[Path, str], None], *, record: bool
) -> float:
    """Microseconds of processor time for each call of ``work`` in one round."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        trio.run(serve_view, base, write, record)
        os._exit(0)
    os.close(write)
    os.read(read, 1)
    os.close(read)
    home = base / "mnt/home"
    work(home, "hidden-0")
    time.sleep(0.3)  # the first batch imports SQLite and makes the database, once for a jail
    server = ~child << 3 | 2  # the clock of another process; clock_getcpuclockid(3), in glibc
    begin = time.process_time() + time.clock_gettime(server)
    for number in range(times):
        work(home, f"hidden-{number % names}")
    seconds = time.process_time() + time.clock_gettime(server) - begin
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)
    return seconds / times * 1e6


def main() -> None:
    """Take turns, and print both."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        for name in ("home", "store", "mnt"):
            (base / name).mkdir()
        for number in range(_MANY):
            (base / f"home/hidden-{number}").touch()
        (base / "home/.bashrc").write_text("x" * 4096)
        for names in (_FEW, _MANY):
            for what, work in _WORK.items():
                _compare(base, times, names, work, f"{what}, of {names} names")


def _compare(
    base: Path, times: int, names: int, work: Callable[[Path, str], None], what: str
) -> None:
    rounds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(_ROUNDS):
        for record, taken in rounds.items():
            taken.append(measure(base, times, names, work, record=record))
    without, recorded = (statistics.median(taken) for taken in rounds.values())
    more = 100 * (recorded / without - 1)
    print(f"{what}: {without:.1f} us without the audit, {recorded:.1f} us with it, {more:+.1f} %")


if __name__ == "__main__":
    main()
