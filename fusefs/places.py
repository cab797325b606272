"""Places of the host that must be recognised by whatever way they are reached.

A path is only one spelling: a bind mount, a hard link or a symlinked directory is another.  So
places are recognised by inode, and by (parent's inode, name) for what is replaced by rename or
does not exist yet.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from fusefs.layers import Identity
from fusefs.mounts import Mounts
from fusefs.slow import Primitive

if TYPE_CHECKING:
    from fusefs.lanes import Lane

_REFRESH_SECONDS = 1.0


class _Known(NamedTuple):
    """What a look at some paths, ``when`` it was made, came to."""

    when: float = -math.inf
    names: frozenset[tuple[int, int, bytes]] = frozenset()
    inodes: frozenset[tuple[int, int]] = frozenset()


class Places:
    """A set of absolute host paths, looked at again every second.

    ``unseen`` paths are recognised by parent and name only and never looked at themselves: our
    own mount is one, and a request to ourselves would wait for itself for ever.

    Places on a slow mount are looked at by operations that had to wait for one: whatever leads
    there has.
    """

    def __init__(
        self,
        paths: Iterable[bytes],
        *,
        unseen: Iterable[bytes] = (),
        mounts: Mounts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mounts = mounts or Mounts()
        self._clock = clock
        self._unseen = frozenset(map(self._canonical, unseen))
        self._seen = frozenset(map(self._canonical, paths)) - self._unseen
        self._by_lane: dict[Lane | None, tuple[bytes, ...]] = {}
        self._known: dict[Lane | None, _Known] = {}
        self._names: frozenset[tuple[int, int, bytes]] = frozenset()
        self._inodes: frozenset[tuple[int, int]] = frozenset()
        self._looked = -math.inf
        self._look()

    def add_unseen(self, path: bytes) -> None:
        """One more path that is recognised but never looked at."""
        path = self._canonical(path)
        self._unseen |= {path}
        self._seen -= {path}
        self._looked = -math.inf
        self._look()

    def holds_name(self, parent: Identity, name: bytes) -> bool:
        """Whether ``name`` in the directory ``parent`` is one of the places."""
        self._look()
        return (parent.dev, parent.ino, name) in self._names

    def holds(self, inode: Identity) -> bool:
        """Whether ``inode`` is one of the places."""
        self._look()
        return (inode.dev, inode.ino) in self._inodes

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked >= _REFRESH_SECONDS:
            self._looked = now
            self._sort()
            here = self._by_lane.get(None, ())
            self._known[None] = look_at(here, self._unseen)
            self._unite()
        if len(self._by_lane) > 1 and self._mounts.waited:
            self._look_slowly(now)

    def _look_slowly(self, now: float) -> None:
        for lane, paths in self._by_lane.items():
            if lane is not None and now - self._known[lane].when >= _REFRESH_SECONDS:
                self._known[lane] = lane.ask(_LOOK, paths, self._unseen)
                self._unite()

    def _unite(self) -> None:
        self._names = frozenset().union(*(known.names for known in self._known.values()))
        self._inodes = frozenset().union(*(known.inodes for known in self._known.values()))

    def _sort(self) -> None:
        """Which paths are on the way to, or on, which slow mount."""
        by_lane: dict[Lane | None, tuple[bytes, ...]] = {None: ()}
        for path in sorted(self._seen | self._unseen):
            lane = self._mounts.on_way(path)
            by_lane[lane] = (*by_lane.get(lane, ()), path)
        self._by_lane = by_lane
        self._known = {lane: self._known.get(lane, _Known()) for lane in by_lane}

    def _canonical(self, path: bytes) -> bytes:
        return self._mounts.canonical(path)


def look_at(paths: Iterable[bytes], unseen: frozenset[bytes]) -> _Known:
    """Where ``paths`` are now; at ``unseen`` ones itself nobody looks."""
    when = time.monotonic()
    names, inodes = set(), set()
    for path in paths:
        parent, name = os.path.split(path)
        if (found := _inode(parent)) is not None:
            names.add((*found, name))
        if path not in unseen and (found := _inode(path)) is not None:
            inodes.add(found)
    return _Known(when, frozenset(names), frozenset(inodes))


_LOOK = Primitive(look_at)


def _inode(path: bytes) -> tuple[int, int] | None:
    try:
        st = os.lstat(path)
    except OSError:
        return None
    return st.st_dev, st.st_ino
