"""Where a symlink of the host leads on the host, and so what is shown in its place.

An allowed symlink is resolved on the host and shown as what it points to, as long as that is not
shut.  Where the jail can get to the target by itself it stays a symlink, and so it does where the
way goes through what the jail can write to: a place that is mounted on, and outside of the home a
symlink that the user owns.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tests.model.disk import Inode, Path
from tests.model.policy import Policy, Sight

_HOPS = 40  # path_resolution(7)


class End(Enum):
    """How the walk along a link ends."""

    SHUT = "at what an entry hides: there is no such name"
    NOWHERE = "at nothing: a symlink that dangles"
    LEFT = "where the jail has to go on by itself: a symlink"
    SHOWN = "at what the jail sees at its own place: a symlink"
    HIDDEN = "at what only this link shows: that, in the link's place"


@dataclass(frozen=True)
class Arrival:
    """The end of a walk; ``path`` is absolute, ``inode`` is there unless it dangles."""

    end: End
    path: Path
    inode: Inode | None = None


@dataclass(frozen=True)
class Host:
    """The host: ``root`` is its ``/``, ``home`` the absolute path of the home in it.

    ``never`` are inodes of files that are shown by no name, whatever the host links them to.
    """

    root: Inode
    home: Path
    never: frozenset[Inode] = frozenset()

    def below_home(self, path: Path) -> Path | None:
        """An absolute path as one from the home on, ``None`` outside of it."""
        inside = path[: len(self.home)] == self.home
        return path[len(self.home) :] if inside else None

    def follow(self, policy: Policy, directory: Path, text: bytes) -> Arrival:
        """Go where a link in ``directory``, an absolute path, leads."""
        return _Walk(self, policy).go(directory, text)


class _Walk:
    def __init__(self, host: Host, policy: Policy) -> None:
        self._host = host
        self._policy = policy
        self._hops = 1
        self._pending: list[bytes] = []
        self._at: list[Inode] = []
        self._path: list[bytes] = []

    def go(self, directory: Path, text: bytes) -> Arrival:
        self._enter(directory)
        self._push(text)
        while self._pending:
            name = self._pending.pop(0)
            if name == b"..":
                del self._at[-1:], self._path[-1:]
            elif stop := self._step(name):
                return stop
        place = self._host.below_home(tuple(self._path))
        if place is None:
            return self._end(End.LEFT)
        inode = self._here()
        sight = self._policy.sight(place)
        seen = inode.is_dir if sight is Sight.WAY else sight is not Sight.HIDDEN
        return self._end(End.SHOWN if seen else End.HIDDEN, inode)

    def _step(self, name: bytes) -> Arrival | None:
        here = self._here()
        if not here.is_dir:
            return self._end(End.NOWHERE)
        self._path.append(name)
        place = self._host.below_home(tuple(self._path))
        if place is not None and self._policy.shut(place):
            return self._end(End.SHUT)
        if place is not None and self._policy.sight(place) is Sight.PLACE:
            return self._end(End.LEFT)
        inner = here.children.get(name)
        if inner is None:
            return self._end(End.NOWHERE)
        if inner in self._host.never:
            return self._end(End.SHUT)
        if inner.is_link:
            self._hops += 1
            if self._hops > _HOPS:
                return self._end(End.NOWHERE)
            if place is None:
                return self._end(End.LEFT)
            self._path.pop()
            self._push(inner.data)
            return None
        self._at.append(inner)
        if self._pending and not inner.is_dir:
            return self._end(End.NOWHERE)
        return None

    def _enter(self, path: Path) -> None:
        self._at, self._path = [], []
        for name in path:
            self._at.append(self._here().children[name])
            self._path.append(name)

    def _push(self, text: bytes) -> None:
        if text.startswith(b"/"):
            self._enter(())
        self._pending[:0] = [name for name in text.split(b"/") if name not in (b"", b".")]

    def _here(self) -> Inode:
        return self._at[-1] if self._at else self._host.root

    def _end(self, end: End, inode: Inode | None = None) -> Arrival:
        return Arrival(end, (*self._path, *self._pending), inode)
