"""Usage: startup.py [RUNS].  Time from command to end of ``python -c pass``, plain and jailed.

Runs as an ordinary user in a throw-away home.  Prints a table: median and best, in milliseconds.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

Before = Callable[[], object]


def measure(python: Path, runs: int, before: Before) -> list[float]:
    """Time ``python -c pass``, after ``before()`` each time; return sorted milliseconds."""
    times = []
    for _ in range(runs):
        before()
        begin = time.perf_counter()
        subprocess.run([python, "-c", "pass"], check=True)
        times.append((time.perf_counter() - begin) * 1000)
    return sorted(times)


def venvjail(*words: str | Path) -> None:
    """Run a command of venvjail, quietly."""
    command = [sys.executable, "-m", "venvjail", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def report(name: str, times: list[float]) -> None:
    """Print one line of the table."""
    print(f"{name:28} {statistics.median(times):8.1f} {times[0]:8.1f} {len(times):6}")


def main() -> None:
    """Make one plain and one jailed venv, and measure both."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        os.environ["HOME"] = directory
        os.chdir(home)  # a directory that the jail shows: elsewhere each start says so
        plain, jailed = home / "plain", home / "jailed"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", plain], check=True)
        venvjail("--without-pip", jailed)

        def cold() -> None:
            venvjail("stop", jailed)

        def warm() -> None:
            pass

        print(f"{'python -c pass':28} {'median':>8} {'best':>8} {'runs':>6}   (ms)")
        try:
            report("plain venv", measure(plain / "bin/python", runs, warm))
            report("jailed, starting the jail", measure(jailed / "bin/python", runs // 5, cold))
            report("jailed, jail running", measure(jailed / "bin/python", runs, warm))
        finally:
            venvjail("remove", jailed)


if __name__ == "__main__":
    main()
