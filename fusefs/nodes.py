"""Inodes that the kernel knows: their numbers, lookup counts and descriptors, with one owner.

The kernel remembers an inode by its number until it has forgotten every lookup that returned it.
A node stays in the table as long, and as long as a node below it does, because a descriptor that
was closed to save descriptors is found again from the parent.  Nothing here awaits: between
finding a node and counting its lookup no other request can run.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fusefs.layers import Identity

if TYPE_CHECKING:
    from fusefs.tree import Tree

Shelf = OrderedDict["Anchor", None]
"""Anchors with a descriptor, in the order of their use."""

ROOT_ID = 1
#: Of fewer nodes than these the memory is not worth the trouble.
_MANY = 8192
_NUMBER_BITS = 48
_NUMBER_MASK = (1 << 63) - 1


class Anchor:
    """One inode of one layer; ``fd`` pins it, or is -1 while it is not needed.

    ``shelf`` is where `Descriptors` has it while there is a descriptor.
    """

    __slots__ = ("fd", "identity", "shelf")

    def __init__(self, identity: Identity, fd: int = -1) -> None:
        self.identity = identity
        self.fd = fd
        self.shelf: Shelf | None = None


class Node:
    """An inode of the view.

    ``parent`` and ``name`` say where it was last seen; ``attached`` is false once it is known to
    have left that place.  ``lookups`` is the kernel's count, ``kids`` the number of nodes whose
    parent this is, ``opens`` the number of open handles.
    """

    __slots__ = (
        "attached",
        "id",
        "kids",
        "lookups",
        "lower",
        "name",
        "opens",
        "parent",
        "tree",
        "type",
        "upper",
    )

    def __init__(self, tree: Tree, kind: int, parent: Node | None, name: bytes) -> None:
        self.tree = tree
        self.type = kind
        self.parent = parent
        self.name = name
        self.id = 0
        self.attached = True
        self.lookups = 0
        self.kids = 0
        self.opens = 0
        self.lower: Anchor | None = None
        self.upper: Anchor | None = None

    @property
    def is_dir(self) -> bool:
        """Whether it is a directory."""
        return self.type == stat.S_IFDIR

    @property
    def in_use(self) -> bool:
        """Whether the kernel, a handle or another node still refers to it."""
        return bool(self.lookups or self.kids or self.opens) or self.parent is None

    def anchors(self) -> tuple[Anchor, ...]:
        """The inodes of the layers behind it."""
        if self.lower is None:
            return () if self.upper is None else (self.upper,)
        return (self.lower,) if self.upper is None else (self.lower, self.upper)


def path_of(node: Node, name: bytes | None = None) -> bytes:
    """The path of ``node``, or of ``name`` in it, relative to the view: ``b"home/.bashrc"``."""
    names = [] if name is None else [name]
    while node.parent is not None:
        names.append(node.name)
        node = node.parent
    return b"/".join(reversed(names))


class Descriptors:
    """The open descriptors of anchors, least recently used first.

    ``trim`` closes what is over ``capacity``.  It runs between requests only: a descriptor handed
    out stays open while a request works with it, so no number can be used again under its feet.
    Orphans, whose place is gone, cannot be found again and have a share of their own; over that,
    the oldest becomes ESTALE.  Nodes with open handles are held outside of both.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._loose: Shelf = OrderedDict()
        self._orphans: Shelf = OrderedDict()
        self._held: Shelf = OrderedDict()

    def __len__(self) -> int:
        return len(self._loose) + len(self._orphans) + len(self._held)

    def adopt(self, node: Node, anchor: Anchor, fd: int) -> int:
        """Make ``fd`` the descriptor of ``anchor``."""
        self.close(anchor)
        anchor.fd = fd
        _move(anchor, self._shelf(node))
        return fd

    def touch(self, anchor: Anchor) -> int:
        """Mark as recently used; returns the descriptor, or -1."""
        if anchor.shelf is self._loose:
            self._loose.move_to_end(anchor)
        return anchor.fd

    def sort(self, node: Node) -> None:
        """Put the node's descriptors where they belong, after ``attached`` or ``opens`` changed."""
        shelf = self._shelf(node)
        for anchor in (node.lower, node.upper):
            if anchor is None or anchor.shelf is None or anchor.shelf is shelf:
                continue
            _move(anchor, shelf)

    def close(self, anchor: Anchor) -> None:
        """Close the descriptor, if there is one."""
        if anchor.fd >= 0:
            _move(anchor, None)
            os.close(anchor.fd)
            anchor.fd = -1

    def trim(self) -> None:
        """Close what is over the capacity."""
        if len(self._loose) <= self.capacity and len(self._orphans) <= self.capacity:
            return
        for shelf in (self._loose, self._orphans):
            while len(shelf) > self.capacity:
                self.close(next(iter(shelf)))

    def close_all(self) -> None:
        """Close every descriptor."""
        for anchor in [*self._loose, *self._orphans, *self._held]:
            self.close(anchor)

    def _shelf(self, node: Node) -> Shelf:
        if node.opens or node.parent is None:
            return self._held
        return self._loose if node.attached else self._orphans


def _move(anchor: Anchor, shelf: Shelf | None) -> None:
    if anchor.shelf is not None:
        del anchor.shelf[anchor]
    anchor.shelf = shelf
    if shelf is not None:
        shelf[anchor] = None


class NodeTable:
    """Nodes by number.

    ``thinned`` are called each time when three of four nodes have gone: what was made for that many
    can be given back.
    """

    def __init__(self, capacity: int) -> None:
        self.descriptors = Descriptors(capacity)
        self.thinned: list[Callable[[], None]] = [self._pack]
        self._few = 0
        """The nodes are thinned when they are fewer."""
        self._nodes: dict[int, Node] = {}
        self._tags: dict[tuple[str, int], int] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __getitem__(self, number: int) -> Node:
        """The node with that number; raises ESTALE."""
        node = self._nodes.get(number)
        if node is None:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return node

    def add(self, node: Node, number: int) -> None:
        """Enter a new node under ``number``, or the next free one."""
        while number in self._nodes:
            number += 1
        node.id = number
        self._nodes[number] = node
        count = len(self._nodes)
        if count > _MANY and count > 4 * self._few:
            self._few = count // 4
        if node.parent is not None:
            node.parent.kids += 1

    def number(self, layer: str, identity: Identity) -> int:
        """The number that an inode of the host wishes to have.

        The same each time, so that programs which compare ``st_ino`` (git's index) find a file
        unchanged after the kernel forgot it.
        """
        tag = self._tags.setdefault((layer, identity.dev), len(self._tags) + 1)
        return max(identity.ino ^ (tag << _NUMBER_BITS), ROOT_ID + 1) & _NUMBER_MASK

    def move(self, node: Node, parent: Node, name: bytes) -> None:
        """Note that ``node`` is now seen as ``name`` in ``parent``."""
        old = node.parent
        node.name = name
        if old is not parent:
            parent.kids += 1
            node.parent = parent
            if old is not None:
                old.kids -= 1
                self.drop(old)
        self.attach(node)

    def attach(self, node: Node) -> None:
        """Note that ``node`` is at its place."""
        if not node.attached:
            node.attached = True
            self.descriptors.sort(node)

    def detach(self, node: Node) -> None:
        """Note that ``node`` has left its place."""
        if node.attached:
            node.attached = False
            self.descriptors.sort(node)

    def forget(self, number: int, lookups: int) -> None:
        """The kernel forgot that many lookups; raises nothing."""
        node = self._nodes.get(number)
        if node is not None:
            node.lookups = max(0, node.lookups - lookups)
            self.drop(node)
            if len(self._nodes) < self._few:
                self._few = self._few // 4 if self._few > _MANY else 0
                for call in self.thinned:
                    call()

    def _pack(self) -> None:
        # A dict keeps the size that it has come to; its copy does not.
        self._nodes = dict(self._nodes)

    def opened(self, node: Node, change: int) -> None:
        """Count handles: +1 when one was opened, -1 when it was released."""
        before = node.opens
        node.opens += change
        if not (before and node.opens):
            self.descriptors.sort(node)
            self.drop(node)

    def drop(self, node: Node) -> None:
        """Remove ``node`` if nothing refers to it, then its parents likewise."""
        while not node.in_use and self._nodes.get(node.id) is node:
            del self._nodes[node.id]
            node.tree.dropped(node)
            for anchor in node.anchors():
                self.descriptors.close(anchor)
            parent = node.parent
            if parent is None:
                return
            parent.kids -= 1
            node = parent
