"""What a symlink of the host is shown as.

Dotfile managers link ``~/.bashrc`` into a directory that the rules hide, so a link is resolved on
the host, name by name, without ever letting the kernel follow one.  The walk stops where
the jail can write, because what it plants there must not lead the server anywhere:

* at a mount point of the rules, and
* outside the home at a symlink that the user owns, as everything the jail makes is.

There the link is left to the jail, which resolves it in its own, restricted, view.
"""

from __future__ import annotations

import enum
import os
import stat
from typing import NamedTuple

from fusefs import layers
from fusefs.mounts import Mounts
from fusefs.places import Places
from fusefs.rules import Access, Kind, Position, Rules
from fusefs.slow import duplicate

_MAX_HOPS = 40  # the kernel's own limit, path_resolution(7)


class Shape(enum.Enum):
    """How a link appears."""

    LINK = "link"
    """As a symlink with the target's text."""
    DANGLING = "dangling"
    """As a symlink that leads nowhere."""
    TARGET = "target"
    """As the file or directory that it points to."""
    REFUSED = "refused"
    """Not at all: it leads to what is explicitly hidden."""


class Target(NamedTuple):
    """Where a link leads.

    ``text`` is what readlink(2) answers.  For `Shape.TARGET`, ``stat`` describes what is shown,
    ``path`` is its place relative to the home and ``fd`` pins it, if asked for: the caller closes
    it.
    """

    shape: Shape
    text: bytes
    stat: os.stat_result | None = None
    path: bytes = b""
    fd: int = -1


class LinkResolver(NamedTuple):
    """Resolves symlinks under one set of rules.  ``home`` is an absolute path without symlinks."""

    home: bytes
    rules: Rules
    never: Places
    mountpoints: Places
    mounts: Mounts

    def resolve(self, dir_fd: int, name: bytes, *, displaced: bool, keep: bool = False) -> Target:
        """Resolve the symlink ``name`` in the directory that ``dir_fd`` pins.

        ``displaced`` says that the directory is shown elsewhere than its own place, so that a
        relative text would lead astray.  ``keep`` asks for the target's descriptor.
        """
        link, _ = layers.pin(dir_fd, name)
        try:
            text = layers.read_link(link)
        finally:
            os.close(link)
        walk = _Walk(self, dir_fd, astray=displaced and not text.startswith(b"/"))
        try:
            return walk.follow(text, keep)
        except PermissionError:
            return Target(Shape.DANGLING, text)  # the jail cannot go there either
        finally:
            walk.close()

    def place(self, path: list[bytes]) -> Position | None:
        """The position of an absolute path, ``None`` outside of the home."""
        home = _names(self.home)
        if path[: len(home)] != home:
            return None
        position = self.rules.root
        for name in path[len(home) :]:
            position = position.child(name)
        return position


class _Walk:
    """One walk along a link; ``astray``: its own text would lead the jail elsewhere."""

    def __init__(self, resolver: LinkResolver, dir_fd: int, *, astray: bool) -> None:
        self._resolver = resolver
        self._astray = astray
        self._path = _names(layers.real_path(dir_fd))
        self._here = layers.fstat(dir_fd)
        self._fd = duplicate(dir_fd)  # last: nobody closes what a constructor leaves
        self._text = b""
        self._pending: list[bytes] = []
        self._hops = 1  # the link itself

    def close(self) -> None:
        """Give back the descriptor of the place reached."""
        if self._fd >= 0:
            os.close(self._fd)

    def follow(self, text: bytes, keep: bool) -> Target:
        """Walk to the end of ``text``."""
        self._text = text
        self._splice(text)
        while self._pending:
            name = self._pending.pop()
            if name in (b"", b"."):
                continue
            if name == b"..":
                self._enter(layers.pin_parent(self._fd), self._path[:-1])
                continue
            stop = self._step(name)
            if stop is not None:
                return stop
        return self._arrived(keep)

    def _splice(self, text: bytes) -> None:
        self._pending.extend(reversed(text.split(b"/")))
        if text.startswith(b"/"):
            self._enter(layers.pin_root(b"/"), [])

    def _enter(self, pinned: tuple[int, os.stat_result], path: list[bytes]) -> None:
        os.close(self._fd)
        self._fd, self._here = pinned
        self._path = path

    def _step(self, name: bytes) -> Target | None:
        resolver = self._resolver
        path = [*self._path, name]
        here = layers.identity(self._here)
        place = resolver.place(path)
        if resolver.never.holds_name(here, name) or explicitly_hidden(place):
            return Target(Shape.REFUSED, self._text)
        if place is not None and place.access is Access.MOUNTPOINT:
            return self._left_to_the_jail(path)
        dir_fd = resolver.mounts.toward(self._fd, here, name)
        found = layers.lstat(dir_fd, name)
        if found is None:
            return Target(Shape.DANGLING, self._left_to_the_jail(path).text)
        inode = layers.identity(found)
        if resolver.never.holds(inode):
            return Target(Shape.REFUSED, self._text)
        if resolver.mountpoints.holds(inode):
            return self._left_to_the_jail(path)
        if inode.type == stat.S_IFLNK:
            return self._hop(dir_fd, name, path, inode, place)
        if any(self._pending) and _hidden(place):
            self._astray = True
        self._enter(layers.pin(dir_fd, name), path)
        if layers.identity(self._here) != inode or (
            self._pending and inode.type != stat.S_IFDIR  # a last slash, too, is for directories
        ):
            return Target(Shape.DANGLING, self._text)
        return None

    def _hop(
        self,
        dir_fd: int,
        name: bytes,
        path: list[bytes],
        inode: layers.Identity,
        place: Position | None,
    ) -> Target | None:
        self._hops += 1
        fd, found = layers.pin(dir_fd, name)
        try:
            if layers.identity(found) != inode or self._hops > _MAX_HOPS:
                return Target(Shape.DANGLING, self._text)
            if place is None and found.st_uid == os.geteuid():
                return self._left_to_the_jail(path)
            text = layers.read_link(fd)
        finally:
            os.close(fd)
        if _hidden(place):
            self._astray = True
        self._splice(text)
        return None

    def _left_to_the_jail(self, path: list[bytes]) -> Target:
        if not self._astray:
            return Target(Shape.LINK, self._text)
        rest = [name for name in reversed(self._pending) if name]
        return Target(Shape.LINK, b"/" + b"/".join([*path, *rest]))

    def _arrived(self, keep: bool) -> Target:
        place = self._resolver.place(self._path)
        found = self._here
        if place is None or shown_at_its_place(place, found):
            return self._left_to_the_jail(self._path)
        if layers.real_path(self._fd) != b"/" + b"/".join(self._path):
            # A directory that we went up from was moved meanwhile: this is not what was judged.
            return Target(Shape.REFUSED, self._text)
        path = b"/".join(self._path[len(_names(self._resolver.home)) :])
        fd = -1
        if keep:
            fd, self._fd = self._fd, -1
        return Target(Shape.TARGET, self._text, found, path, fd)


def _names(path: bytes) -> list[bytes]:
    return [name for name in path.split(b"/") if name]


def explicitly_hidden(place: Position | None) -> bool:
    """Whether a rule, not the default, hides this place: a link does not get round that."""
    if place is None or place.rule is None:
        return False
    return place.access is Access.HIDDEN and place.rule.kind in (Kind.HIDE, Kind.NEVER)


def shown_at_its_place(place: Position, found: os.stat_result) -> bool:
    """Whether the rules show ``found`` at ``place``; an ancestor is a directory."""
    if place.access is Access.ANCESTOR:
        return stat.S_ISDIR(found.st_mode)
    return place.access is not Access.HIDDEN


def _hidden(place: Position | None) -> bool:
    return place is not None and place.access is Access.HIDDEN
