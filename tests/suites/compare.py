"""The arithmetic of a comparison: what differs between two runs, and what is to differ."""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.suites.subject import PLACES, Subject

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: How each case ended, by its name: ``ok``, ``failed``, ``skipped``, an errno's name, …
Outcomes = Mapping[str, str]

#: The outcome of a case that the other run has.
MISSING = "missing"

_FILE = Path(__file__).with_name("differences.toml")


@dataclass(frozen=True)
class Trial:
    """What is run and compared as one: a module of CPython's, a stressor, …

    ``run`` gets the subject and a directory of its own for it.
    """

    suite: str
    name: str
    run: Callable[[Subject, Path], Outcomes]


@dataclass(frozen=True)
class Difference:
    """A case that ended in two ways; its name begins with the trial's suite: ``cpython/…``."""

    case: str
    place: str
    plain: str
    jailed: str

    def __str__(self) -> str:
        return f"{self.case} ({self.place}): plain {self.plain}, jailed {self.jailed}"


@dataclass(frozen=True)
class Expected:
    """An entry of ``differences.toml``; ``limit`` is a heading of ``docs/limits.md``."""

    case: str
    places: Sequence[str]
    plain: str
    jailed: str
    limit: str
    reason: str

    def covers(self, difference: Difference) -> bool:
        """Whether it is this difference that is expected."""
        return (
            self.about(difference.case, difference.place)
            and (self.plain, self.jailed) == (difference.plain, difference.jailed)
        )  # fmt: skip

    def about(self, case: str, place: str) -> bool:
        """Whether the entry speaks of ``case`` there."""
        return place in self.places and fnmatch.fnmatchcase(case, self.case)


def load_expected(path: Path = _FILE) -> list[Expected]:
    """The entries of the data file; `TypeError` for one with a key too few or too many."""
    with path.open("rb") as file:
        entries = tomllib.load(file)["difference"]
    return [Expected(**{"places": PLACES, **entry}) for entry in entries]


def differences(suite: str, place: str, plain: Outcomes, jailed: Outcomes) -> list[Difference]:
    """What ended otherwise in the jail."""
    found = (
        Difference(f"{suite}/{case}", place, plain.get(case, MISSING), jailed.get(case, MISSING))
        for case in {**plain, **jailed}
    )
    return [each for each in found if each.plain != each.jailed]


def not_run(suite: str, plain: Outcomes) -> list[str]:
    """The cases that did not even run plain, so that the comparison says nothing of them."""
    return [
        f"{suite}/{case}: {outcome}"
        for case, outcome in plain.items()
        if outcome.startswith(("status", "no end", "no report"))
    ]


def unexpected(found: Iterable[Difference], expected: Sequence[Expected]) -> list[Difference]:
    """Those that no entry covers."""
    return [each for each in found if not any(entry.covers(each) for entry in expected)]


def stale(
    suite: str,
    place: str,
    plain: Outcomes,
    found: Sequence[Difference],
    expected: Sequence[Expected],
) -> list[Expected]:
    """Entries about cases that were run, none of which differs any more."""
    return [
        entry
        for entry in expected
        if any(entry.about(f"{suite}/{case}", place) for case in plain)
        and not any(entry.covers(each) for each in found)
    ]
