"""The arithmetic of a comparison: rounds in turn, medians, ratios of neighbours.

Other work on the machine comes and goes.  The subjects therefore take turns, A B C A B C, and
a ratio is the median of those within each round: what slows a round slows all of it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Command = Sequence[str | Path]


@dataclass(frozen=True)
class Spread:
    """A sample: its median, quartiles and smallest value, all in the sample's unit."""

    median: float
    low: float
    high: float
    best: float

    def scaled(self, factor: float, unit: str) -> str:
        """``12.3 (11.9-13.0) ms``."""
        middle, low, high = (factor * value for value in (self.median, self.low, self.high))
        return f"{number(middle)} ({number(low)}-{number(high)}) {unit}"


def spread(values: Sequence[float]) -> Spread:
    """Summarise at least one value."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0], values[0])
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, low, high, min(values))


def ratios(values: Sequence[float], base: Sequence[float]) -> Spread:
    """How many times ``base`` each value is, round by round."""
    return spread([value / other for value, other in zip(values, base, strict=True)])


def number(value: float) -> str:
    """A value with three digits that count: ``0.123``, ``1.23``, ``12.3``, ``1234``."""
    for limit, digits in ((1, 3), (10, 2), (100, 1)):
        if abs(value) < limit:
            return f"{value:.{digits}f}"
    return f"{value:.0f}"


def in_turn(subjects: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Ask each subject for a value, in turn, ``rounds`` times."""
    values: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            values[name].append(subject())
    return values


def seconds(command: Command, *, cwd: Path | None = None) -> float:
    """How long a command takes, from its start to its end; it has to succeed."""
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    end = time.perf_counter()
    if done.returncode:
        words = " ".join(map(str, command))
        raise RuntimeError(f"status {done.returncode}: {words}\n{done.stdout}{done.stderr}")
    return end - begin


def resident_kib(pid: int) -> int:
    """Memory of a process that is in RAM, shared pages included; proc_pid_status(5)."""
    return _status_field(Path(f"/proc/{pid}/status"), "VmRSS")


def sleeps(pid: int) -> dict[str, int]:
    """How often each thread of a process has gone to sleep, by its number."""
    tasks = Path(f"/proc/{pid}/task")
    return {
        name: _status_field(tasks / name / "status", "voluntary_ctxt_switches")
        for name in os.listdir(tasks)
    }


def wake_ups(before: dict[str, int], after: dict[str, int]) -> int:
    """How often something woke a thread between two looks; one that ended, to end, once."""
    ended = len(before.keys() - after.keys())
    return ended + sum(number - before.get(name, 0) for name, number in after.items())


def _status_field(status: Path, field: str) -> int:
    for line in status.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0])
    raise RuntimeError(f"no {field} in {status}")
