"""From command to end of ``python -c pass``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench.measure import in_turn, ratios, seconds, spread
from bench.page import Section, Table
from bench.place import Place
from bench.rivals import Rivals

_MS = 1000
_COLD = "venvjail, starting the jail"


def measure(place: Place, quick: bool) -> Section:
    """Start the same interpreter in all sandboxes, and the jail anew."""
    rivals = Rivals(place)
    commands = rivals.commands(place, "-c", "pass")
    subjects: dict[str, Callable[[], float]] = {
        name: partial(seconds, command) for name, command in commands.items()
    }
    for subject in subjects.values():
        subject()
    times = in_turn(subjects, 60 if quick else 200)
    plain = times["plain venv"]
    rows = [
        (
            name,
            spread(values).scaled(_MS, "ms"),
            f"{_MS * min(values):.1f} ms",
            ratios(values, plain).scaled(1, "times"),
            f"{min(values) / min(plain):.2f}",
        )
        for name, values in times.items()
    ]
    cold = _cold(place, 10 if quick else 30)
    rows.append(
        (
            _COLD,
            spread(cold[_COLD]).scaled(_MS, "ms"),
            f"{_MS * min(cold[_COLD]):.1f} ms",
            ratios(cold[_COLD], cold["plain venv"]).scaled(1, "times"),
            f"{min(cold[_COLD]) / min(cold['plain venv']):.2f}",
        )
    )
    columns = ("", "median (quartiles)", "best", "ratio to plain (quartiles)", "ratio of the bests")
    text = (
        "`python -c pass`, whole process. Aims: at most 2.3 times the plain venv while the jail "
        f"runs, at most 150 ms more than it where the jail has to be started. {rivals.note()}"
    )
    return Section("Start", text, [Table(columns, rows)])


def _cold(place: Place, rounds: int) -> dict[str, list[float]]:
    def start_jail() -> float:
        place.stop(place.jailed)
        return seconds([place.python(place.jailed), "-c", "pass"])

    plain = partial(seconds, [place.python(place.plain), "-c", "pass"])
    return in_turn({"plain venv": plain, _COLD: start_jail}, rounds)
