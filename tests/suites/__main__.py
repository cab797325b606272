"""Usage: python -m tests.suites DIRECTORY [NAME...].  Run the suites plain and in the jail.

NAMEs are suites or trials: ``cpython``, ``test_os``.  A trial whose outcome is not the expected one
is run again, plain and jailed, and counts as it ends then: a busy machine makes tests fail at
random.  The status is 0 when what differs is just what ``differences.toml`` says, and when all
that was to be compared ran plain.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.suites import cpython, own, stress
from tests.suites.compare import (
    Difference,
    Expected,
    Outcomes,
    Trial,
    differences,
    load_expected,
    not_run,
    stale,
    unexpected,
)
from tests.suites.subject import PLACES, Arena, arena

_ROW = "{:10}{:16}{:>6}{:>9}{:>8}{}"


def main() -> int:
    """Run the trials that are named, or all."""
    directory, *names = sys.argv[1:]
    every = [*own.trials(), *own.installs(), *cpython.trials(), *stress.trials()]
    chosen = [trial for trial in every if not names or {trial.suite, trial.name} & {*names}]
    unknown = {*names} - {name for trial in every for name in (trial.suite, trial.name)}
    if unknown or not chosen:
        sys.exit(f"no such suite or trial: {' '.join(sorted(unknown))}")
    where = Path(directory).resolve()
    where.mkdir(parents=True, exist_ok=True)
    expected = load_expected()
    problems: list[str] = []
    places = "".join(f"{place:>9}" for place in PLACES)
    print(
        "Plain: cases, and of these skipped and failed. Jailed: cases that end otherwise, by place."
    )
    print(_ROW.format("suite", "trial", "cases", "skipped", "failed", places))
    with arena(where) as there:
        for trial in chosen:
            problems += _compare(there, trial, expected)
    print(*(problems or ["what differs is what differences.toml expects"]), sep="\n")
    return 1 if problems else 0


def _compare(there: Arena, trial: Trial, expected: Sequence[Expected]) -> list[str]:
    """Run one trial everywhere, print its row, and return what is wrong."""
    plain = _run(there, trial, None)
    found: list[Difference] = []
    problems: list[str] = []
    for place in PLACES:
        here, wrong = _judged(there, trial, place, plain, expected)
        if wrong:
            plain = _run(there, trial, None)
            here, wrong = _judged(there, trial, place, plain, expected)
        found += here
        problems += wrong
    problems += [f"not even plain: {each}" for each in not_run(trial.suite, plain)]
    failed = sum(outcome.startswith(("failed", "status")) for outcome in plain.values())
    skipped = [*plain.values()].count("skipped")
    differ = Counter(difference.place for difference in found)
    marks = "".join(f"{differ[place]:>9}" for place in PLACES)
    row = (trial.suite, trial.name, len(plain), skipped, failed, marks)
    print(_ROW.format(*row), flush=True)
    print(*(f"  {problem}" for problem in problems), sep="\n", end="\n" if problems else "")
    return problems


def _judged(
    there: Arena, trial: Trial, place: str, plain: Outcomes, expected: Sequence[Expected]
) -> tuple[list[Difference], list[str]]:
    """What differs at ``place``, and what of that is wrong."""
    found = differences(trial.suite, place, plain, _run(there, trial, place))
    return found, [*_wrong(trial, place, plain, found, expected)]


def _wrong(
    trial: Trial,
    place: str,
    plain: Outcomes,
    found: Sequence[Difference],
    expected: Sequence[Expected],
) -> Iterator[str]:
    for difference in unexpected(found, expected):
        yield f"unexpected: {difference}"
    for entry in stale(trial.suite, place, plain, found, expected):
        yield f"expected, and no longer so: {entry.case} ({place})"


def _run(there: Arena, trial: Trial, place: str | None) -> Outcomes:
    """The outcomes of one run, whose files are removed; a run without end is an outcome too."""
    subject = there.plain if place is None else there.jailed
    directory = there.directory(place, trial.name)
    try:
        outcomes = trial.run(subject, directory)
    except AssertionError as error:
        print(error, file=sys.stderr)
        outcomes = {trial.name: "no end"}
    if subject is there.plain:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        subject.run(["rm", "-rf", directory], cwd=directory.parent)
    return outcomes


if __name__ == "__main__":
    sys.exit(main())
