"""Supervisor (host's namespaces), pure: what the processes of a jail hold, and what to do about it.

As the kernel's own killer does: the largest process first.  But one process that is killed and
replaced at once, as a bomb does, or that was not alone, is no remedy: then the jail has to end.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

_MEBIBYTE = 1024**2
_GIBIBYTE = 1024**3

#: Bytes a second: about what two processors write to new pages.
_GROWTH = 4 * _GIBIBYTE
OFTEN = 0.02
_SELDOM = 0.25
#: Of one processor, for looking, unless that meant to look less than once in so many seconds.
_MOST_LOAD = 0.1
_LONGEST = 1.0
#: With so many times as much as it may, the jail is ended at once.
END_FACTOR = 2
#: Of the limit, what may be left: with less room the next command would be killed as well, for what
#: stays in files.
_ROOM = 0.9
#: After so many looks that had to kill, in so many seconds, the jail is ended.
STRIKES = 3
STRIKE_SECONDS = 3.0


class Share(NamedTuple):
    """What a process holds, in bytes; ``pid`` is that in the jail."""

    pid: int
    private: int
    shared: int

    @property
    def size(self) -> int:
        return self.private + self.shared


class Look(NamedTuple):
    """What a jail held at one time; ``files`` is what stays when its processes are gone."""

    shares: tuple[Share, ...]
    files: int

    @property
    def total(self) -> int:
        """Bytes.  A file in memory may be mapped as well: the greater figure has both."""
        shared = sum(share.shared for share in self.shares)
        return sum(share.private for share in self.shares) + max(shared, self.files)

    def by_size(self) -> list[Share]:
        """The largest first."""
        return sorted(self.shares, key=lambda share: share.size, reverse=True)

    def without(self, pids: Collection[int]) -> Look:
        """As it is when these processes have ended."""
        return self._replace(shares=tuple(one for one in self.shares if one.pid not in pids))


class Verdict(NamedTuple):
    """The processes to kill, or that the whole jail has to end."""

    kill: tuple[Share, ...] = ()
    end: bool = False


def judge(look: Look, limit: int, strikes: int) -> Verdict:
    """What brings a jail below ``limit`` bytes that is at its ``strikes``-th kill already."""
    if look.total <= limit:
        return Verdict()
    if look.total > END_FACTOR * limit or strikes >= STRIKES:
        return Verdict(end=True)
    kill: list[Share] = []
    left = look
    for share in look.by_size():
        kill.append(share)
        left = left.without((share.pid,))
        if left.total <= limit * _ROOM:
            return Verdict(tuple(kill))
    return Verdict(end=True)  # it is in files


def pause(total: int, limit: int, cost: float) -> float:
    """Seconds until the next look: sooner near the limit.

    ``cost`` are the processor's seconds that the last one took.
    """
    room = max(0, limit - total) / _GROWTH
    return max(min(max(room, OFTEN), _SELDOM), min(cost / _MOST_LOAD, _LONGEST))


def spelled(size: int) -> str:
    """A size in bytes for people: ``1.9 GiB``, ``2 GiB``, ``256 MiB``."""
    unit, name = (_GIBIBYTE, "GiB") if size >= _GIBIBYTE else (_MEBIBYTE, "MiB")
    number = f"{size / unit:.1f}" if unit == _GIBIBYTE else f"{size / unit:.0f}"
    return f"{number.removesuffix('.0')} {name}"
