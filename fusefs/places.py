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

from fusefs.layers import Identity

_REFRESH_SECONDS = 1.0


class Places:
    """A set of absolute host paths, looked at again every second.

    ``unseen`` paths are recognised by parent and name only and never looked at themselves: our
    own mount is one, and a request to ourselves would wait for itself for ever.
    """

    def __init__(
        self,
        paths: Iterable[bytes],
        *,
        unseen: Iterable[bytes] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unseen = frozenset(map(canonical, unseen))
        self._seen = frozenset(map(canonical, paths)) - self._unseen
        self._clock = clock
        self._looked = -math.inf
        self._names: frozenset[tuple[int, int, bytes]] = frozenset()
        self._inodes: frozenset[tuple[int, int]] = frozenset()
        self._look()

    def add_unseen(self, path: bytes) -> None:
        """One more path that is recognised but never looked at."""
        path = canonical(path)
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
        if now - self._looked < _REFRESH_SECONDS:
            return
        self._looked = now
        names, inodes = set(), set()
        for path in self._seen | self._unseen:
            parent, name = os.path.split(path)
            if (found := _inode(parent)) is not None:
                names.add((*found, name))
            if path in self._seen and (found := _inode(path)) is not None:
                inodes.add(found)
        self._names, self._inodes = frozenset(names), frozenset(inodes)


def canonical(path: bytes) -> bytes:
    """The absolute path with its parents resolved, itself not: it may be a symlink or absent."""
    parent, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(parent), name)


def _inode(path: bytes) -> tuple[int, int] | None:
    try:
        st = os.lstat(path)
    except OSError:
        return None
    return st.st_dev, st.st_ino
