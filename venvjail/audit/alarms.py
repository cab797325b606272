"""Supervisor (host's namespaces): tell whoever ran a command what secrets it looked for.

When to speak, so that it means something when we do:

* A hidden place that the host has, asked for by a program of which that is not the habit
  (`Sensitive.usual`): always.
* A place that the host does not have: nothing could be taken, and tools probe for each other's
  files.  But who asks for three different kinds of secrets collects them.
* ``~/.netrc`` is asked for by every HTTP client, pip and requests among them, and a stealer in the
  same interpreter cannot be told from them.  Alone it is in the log only.
* What ``[audit] expected`` names is in the log only: a program that uses AWS does look there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from venvjail.audit.programs import Program, ancestors
from venvjail.audit.sensitivity import Sensitivity, is_usual
from venvjail.config.sensitive import Sensitive

#: Kinds of secrets that nobody asks for together without collecting them.
COLLECTOR_KINDS = 3
_NAMED = 4
_REMEMBERED = 200
#: So long a process belongs to the command that it was found to belong to: finding out takes a look
#: at each of its ancestors, too much for each look of a storm.
_SAME_SECONDS = 0.25


@dataclass
class Looks:
    """The sensitive places that one command, and what it started, looked for."""

    existing: dict[str, Sensitive] = field(default_factory=dict)
    absent: dict[str, Sensitive] = field(default_factory=dict)
    unusual: bool = False
    """Whether one that exists was asked for by a program of which it is not the habit."""
    unusual_kinds: set[str] = field(default_factory=set)
    start: str = ""
    """Where the command is started, relative to the home: the entry looks there itself, once."""

    def is_start(self, path: str) -> bool:
        """Whether this look is the entry's, for the directory to start the command in."""
        found = f"{self.start}/".startswith(f"{path}/")
        if found:
            self.start = ""
        return found

    def add(self, place: Sensitive, exists: bool, usual: bool) -> None:
        """One look; of too many different ones the rest is not remembered."""
        places = self.existing if exists else self.absent
        if len(places) < _REMEMBERED:
            places.setdefault(place.path, place)
        if not usual:
            self.unusual = self.unusual or exists
            self.unusual_kinds.add(place.kind)

    @property
    def alarming(self) -> bool:
        """Whether to speak of it."""
        return self.unusual or len(self.unusual_kinds) >= COLLECTOR_KINDS

    def line(self, who: str, venv: str) -> str:
        """What to say, for example ``the command looked for ~/.ssh (SSH keys), …``."""
        places = [*self.existing.values(), *self.absent.values()]
        named = [f"~/{place.path} ({place.kind})" for place in places[:_NAMED]]
        if len(places) > _NAMED:
            named.append(f"{len(places) - _NAMED} more")
        hidden = "which the jail hides" if self.existing else "none of which you have"
        return f"{who} looked for {_listed(named)}, {hidden}; see: venvjail log --sensitive {venv}"


class Alarms:
    """Looks by command.  A command is known by the host's pid of its entry, which has a lease."""

    def __init__(
        self,
        venv: str,
        lineage: Callable[[int], list[int]] = ancestors,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._venv = venv
        self._lineage = lineage
        self._clock = clock
        self._commands: dict[int, Looks] = {}
        self._owners: dict[int, tuple[float, int]] = {}
        """When it was looked up, and the command's entry, 0 for none, by the pid of who looked."""
        self._orphans = Looks()
        """Those of processes that outlived their command, or hid from it: told with the next."""

    def joined(self, entry: int, start: str = "") -> None:
        """A command begins, in the directory ``start`` of the home if it is there."""
        self._commands[entry] = Looks(start=start)

    def left(self, entry: int) -> None:
        """A command has ended, or its entry was killed."""
        self._commands.pop(entry, None)

    def heard(
        self, place: Sensitive, path: str, exists: bool, program: Program, known: Sensitivity
    ) -> None:
        """A program looked for ``path``, relative to the home, which is hidden."""
        looks = self._of(program.pid)
        if not known.expects(path) and not looks.is_start(path):
            looks.add(place, exists, is_usual(place, program.exe))

    def told(self, entry: int) -> list[str]:
        """The lines for a command that has ended; each is told once."""
        lines = []
        looks = self._commands.get(entry)
        if looks is not None and looks.alarming:
            lines.append(looks.line("the command", self._venv))
            self._commands[entry] = Looks()
        if self._orphans.alarming:
            lines.append(self._orphans.line("a background process", self._venv))
            self._orphans = Looks()
        return lines

    def _of(self, pid: int) -> Looks:
        now = self._clock()
        seen = self._owners.get(pid)
        if seen is None or now - seen[0] > _SAME_SECONDS:
            if len(self._owners) >= _REMEMBERED:
                self._owners.clear()
            seen = now, next((a for a in self._lineage(pid) if a in self._commands), 0)
            self._owners[pid] = seen
        return self._commands.get(seen[1], self._orphans)


def _listed(words: list[str]) -> str:
    """``a, b and c``."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
