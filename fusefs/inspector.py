"""Look at a home as its view would show it, without a mount: the same models, asked directly."""

from __future__ import annotations

import enum
import errno
import os
import stat
from types import TracebackType
from typing import NamedTuple

from fusefs.events import Refused, Verdict
from fusefs.merged import HomeNode
from fusefs.mounts import Mounts
from fusefs.nodes import NodeTable
from fusefs.reading import home_node
from fusefs.rules import Access, Rule, components
from fusefs.view import View, ViewSettings

_CAPACITY = 1024


class Shown(enum.Enum):
    """Where the view has what it shows at a path."""

    HOST = "host"
    """From the host, read-only."""
    STORE = "store"
    """From the store."""
    BOTH = "both"
    """A directory of the host's in which the store adds names."""
    MOUNTPOINT = "mountpoint"
    """An empty place for the launcher to mount on."""
    HIDDEN = "hidden"
    """Not at all: the rules hide what the host has, or would hide it."""
    ABSENT = "absent"
    """Nothing is there, and nothing is hidden."""


class Sighting(NamedTuple):
    """What the view shows at ``path``, relative to the home, and by which rule (None: by default).

    A walk ends at the first name that is not shown and at a symlink of which more is wanted:
    ``path`` is then as far as it came.  ``link`` is a symlink's text.  ``creates``: whether a new
    name here, or this one, could be made in the store.
    """

    path: bytes
    shown: Shown
    rule: Rule | None
    access: Access
    is_dir: bool = False
    link: bytes | None = None
    creates: bool = False


class Inspector:
    """A view to be looked at; as a context, it gives its descriptors back."""

    def __init__(self, settings: ViewSettings) -> None:
        self._table = NodeTable(_CAPACITY)
        self._view = View(settings, self._table, Mounts())

    def __enter__(self) -> Inspector:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._table.descriptors.close_all()
        self._view.proc.close()

    def look(self, path: bytes) -> Sighting:
        """What is at ``path``, relative to the home, without ``..``."""
        return self._walk(path)[1]

    def names(self, path: bytes) -> list[bytes]:
        """The names that the view shows in the directory at ``path``; raises OSError."""
        node, sighting = self._walk(path)
        if node is None or not sighting.is_dir:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return sorted(name for name in self._view.home.names(node) if self._has(node, name))

    def _has(self, node: HomeNode, name: bytes) -> bool:
        """Whether a listed name is there: a rule may name what the host does not have yet."""
        try:
            self._view.home.lookup(node, name)
        except OSError:
            return False
        return True

    def _walk(self, path: bytes) -> tuple[HomeNode | None, Sighting]:
        home = self._view.home
        node = home.root
        way: list[bytes] = []
        names = components(path)
        for name in names:
            way.append(name)
            try:
                entry = home.lookup(node, name)
            except OSError as error:
                return None, self._missing(b"/".join(way), node, name, error)
            node = home_node(entry.node)
            is_link = stat.S_ISLNK(entry.attributes.mode)
            if not node.is_dir and (is_link or len(way) < len(names)):
                break
        return node, self._found(b"/".join(way), node)

    def _missing(self, path: bytes, parent: HomeNode, name: bytes, error: OSError) -> Sighting:
        position = self._view.home.backing.place(parent).at.child(name)
        hidden = isinstance(error, Refused) and error.verdict is Verdict.HIDDEN
        shown = Shown.HIDDEN if hidden else Shown.ABSENT
        creates = self._creates(parent)
        return Sighting(path, shown, position.rule, position.access, creates=creates)

    def _found(self, path: bytes, node: HomeNode) -> Sighting:
        home = self._view.home
        place = home.backing.place(node)
        if place.access is Access.MOUNTPOINT:
            shown = Shown.MOUNTPOINT
        elif home.backing.shown_lower(node) is None:
            shown = Shown.STORE
        else:
            shown = Shown.HOST if node.upper is None else Shown.BOTH
        link = home.readlink(node) if node.type == stat.S_IFLNK else None
        return Sighting(
            path, shown, place.at.rule, place.access, node.is_dir, link, self._creates(node)
        )

    def _creates(self, node: HomeNode) -> bool:
        access = self._view.home.backing.place(node).access
        return node.is_dir and access not in (Access.READ_ONLY, Access.MOUNTPOINT)
