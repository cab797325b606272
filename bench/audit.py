"""Usage: audit.py [LOOKUPS].  What the audit costs a program that is refused.

Mounts the view of a throw-away home through fusermount3, once with the recorder and once with an
observer that does nothing, in turns, and times lookups of hidden names, each of which is an event:
in a storm of nothing else, and with one file that is shown read for each of them; of as many
different names as a program asks for, and of many more.  Prints
microseconds of processor time for each, the program's and the server's together, which a busy
machine does not disturb as it does the time on the clock.  Runs as an ordinary user.
"""

import os
import signal
import statistics
import sys
import tempfile
import time
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


def measure(base: Path, lookups: int, names: int, *, record: bool, reads: bool) -> float:
    """Microseconds of processor time per lookup in one round; ``reads`` a file after each."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        trio.run(serve_view, base, write, record)
        os._exit(0)
    os.close(write)
    os.read(read, 1)
    os.close(read)
    paths = [str(base / f"mnt/home/hidden-{number}") for number in range(names)]
    shown = str(base / "mnt/home/.bashrc")
    os.access(paths[0], os.F_OK)
    time.sleep(0.3)  # the first batch imports SQLite and makes the database, once for a jail
    server = ~child << 3 | 2  # the clock of another process; clock_getcpuclockid(3), in glibc
    begin = time.process_time() + time.clock_gettime(server)
    for number in range(lookups):
        os.access(paths[number % names], os.F_OK)
        if reads:
            fd = os.open(shown, os.O_RDONLY)
            os.read(fd, 4096)
            os.close(fd)
    seconds = time.process_time() + time.clock_gettime(server) - begin
    os.kill(child, signal.SIGTERM)
    os.waitpid(child, 0)
    return seconds / lookups * 1e6


def main() -> None:
    """Take turns, and print both."""
    lookups = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        for name in ("home", "store", "mnt"):
            (base / name).mkdir()
        for number in range(_MANY):
            (base / f"home/hidden-{number}").touch()
        (base / "home/.bashrc").write_text("x" * 4096)
        for names in (_FEW, _MANY):
            for reads, what in ((False, "a refused lookup"), (True, "one, and a file read")):
                _compare(base, lookups, names, reads, f"{what}, of {names} names")


def _compare(base: Path, lookups: int, names: int, reads: bool, what: str) -> None:
    rounds: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(_ROUNDS):
        for record, taken in rounds.items():
            taken.append(measure(base, lookups, names, record=record, reads=reads))
    without, recorded = (statistics.median(taken) for taken in rounds.values())
    more = 100 * (recorded / without - 1)
    print(f"{what}: {without:.1f} us without the audit, {recorded:.1f} us with it, {more:+.1f} %")


if __name__ == "__main__":
    main()
