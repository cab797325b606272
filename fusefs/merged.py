"""What a name of the home is: its place in the rules, its layers, the attributes it shows."""

from __future__ import annotations

import errno
import os
import stat
from typing import Literal, NamedTuple

from fusefs.links import explicitly_hidden
from fusefs.nodes import Anchor, Node
from fusefs.rules import Access, Position, Rules
from fusefs.tree import Attributes, Tree

Layer = Literal["lower", "upper"]
"""The host's home as the rules show it, and the store."""


def stale() -> OSError:
    """ESTALE: the kernel looks the name up again and retries."""
    return OSError(errno.ESTALE, os.strerror(errno.ESTALE))


class Place(NamedTuple):
    """Where a name is in the rules.

    ``own`` is where the host really has it, when a symlink brought it elsewhere: what the rules
    explicitly hide there stays hidden, and a mount point stays one.
    """

    at: Position
    own: Position | None = None

    def child(self, name: bytes) -> Place:
        """The place of ``name`` below; this one where that is the same to the rules."""
        at = self.at.child(name)
        own = None if self.own is None else self.own.child(name)
        return self if at is self.at and own is self.own else Place(at, own)

    @property
    def access(self) -> Access:
        """How the host's side is shown."""
        if self.own is not None:
            if explicitly_hidden(self.own):
                return Access.HIDDEN
            if self.own.access is Access.MOUNTPOINT:
                return Access.MOUNTPOINT
        return self.at.access


_NOWHERE = Place(Rules().root)
_NO_CHILDREN: dict[bytes, HomeNode] = {}


class HomeNode(Node):
    """An inode of the home: a directory of one or two layers, or anything else of one.

    ``own_path`` is the host's place, relative to the home, of what a symlink was replaced by.
    ``place`` is valid while ``epoch`` is the view's.
    """

    __slots__ = ("children", "epoch", "own_path", "place", "signature")

    def __init__(self, tree: Tree, kind: int, parent: Node | None, name: bytes) -> None:
        super().__init__(tree, kind, parent, name)
        self.children = {} if self.is_dir else _NO_CHILDREN
        self.own_path: bytes | None = None
        self.place = _NOWHERE
        self.epoch = -1
        self.signature: tuple[int, ...] | None = None


class Found:
    """What a name is: attributes by layer, ``None`` where the layer does not count."""

    __slots__ = ("lower", "own_path", "place", "upper")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.lower: os.stat_result | None = None
        self.upper: os.stat_result | None = None
        self.own_path: bytes | None = None

    @property
    def decides(self) -> os.stat_result | None:
        """The attributes of the layer that wins."""
        return self.upper if self.lower is None else self.lower

    @property
    def is_dir(self) -> bool:
        """Whether it is shown as a directory."""
        st = self.decides
        return st is not None and stat.S_ISDIR(st.st_mode)


def show(found: Found) -> Attributes:
    """The attributes of what was found.

    A merged directory changes when either side does (importlib's caches go by that); its link
    count is 1, "unknown" to those who count subdirectories, as hidden ones must not count.
    """
    st = found.decides
    assert st is not None
    shown = Attributes.of(st)
    if found.lower is None:
        return shown
    access = found.place.access
    if not found.is_dir:
        return shown._replace(size=0, blocks=0) if access is Access.MOUNTPOINT else shown
    shown = shown._replace(nlink=1)
    if access in (Access.ANCESTOR, Access.MOUNTPOINT):
        shown = shown._replace(size=0, blocks=0)
    if found.upper is not None:
        shown = shown._replace(
            mtime_ns=max(shown.mtime_ns, found.upper.st_mtime_ns),
            ctime_ns=max(shown.ctime_ns, found.upper.st_ctime_ns),
        )
    return shown


def parent_of(node: HomeNode) -> HomeNode:
    """The directory in which ``node`` was last seen; ESTALE for the home itself."""
    if not isinstance(node.parent, HomeNode):
        raise stale()
    return node.parent


def anchor_of(node: HomeNode, layer: Layer) -> Anchor:
    """The inode of ``node`` in ``layer``; ESTALE when it has none there."""
    anchor = node.lower if layer == "lower" else node.upper
    if anchor is None:
        raise stale()
    return anchor
