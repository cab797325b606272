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
_OFTEN = 0.02
_SELDOM = 0.25
#: Of one processor, for looking.
_MOST_LOAD = 0.1
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
    if look.total > 2 * limit or strikes >= STRIKES:
        return Verdict(end=True)
    kill: list[Share] = []
    left = look
    for share in sorted(look.shares, key=lambda share: share.size, reverse=True):
        kill.append(share)
        left = left.without((share.pid,))
        if left.total <= limit:
            return Verdict(tuple(kill))
    return Verdict(end=True)  # it is in files


def pause(total: int, limit: int, cost: float) -> float:
    """Seconds until the next look, after one that took ``cost`` seconds: sooner near the limit."""
    room = max(0, limit - total) / _GROWTH
    return max(min(max(room, _OFTEN), _SELDOM), cost / _MOST_LOAD)


def spelled(size: int) -> str:
    """A size in bytes for people: ``1.9 GiB``, ``2 GiB``, ``256 MiB``."""
    unit, name = (_GIBIBYTE, "GiB") if size >= _GIBIBYTE else (_MEBIBYTE, "MiB")
    number = f"{size / unit:.1f}" if unit == _GIBIBYTE else f"{size / unit:.0f}"
    return f"{number.removesuffix('.0')} {name}"
