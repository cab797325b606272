"""The home as a union of two layers, and how names in it are found.

Lower is the host's home seen through the rules, upper is the store.  Lower wins for a name that
both have, and nothing is copied from one to the other.  What the rules hide does not exist here:
such a name is the store's to use.

Files are the same node wherever they are linked; directories are known by parent and name,
because their place decides what the rules show in them.
"""

from __future__ import annotations

import errno
import os
import stat

from fusefs import layers
from fusefs.backing import Backing
from fusefs.events import hidden
from fusefs.layers import Identity
from fusefs.links import Shape
from fusefs.merged import Found, HomeNode, Layer, Place, anchor_of, parent_of, show
from fusefs.mounts import Mounts
from fusefs.nodes import Anchor, Node, NodeTable
from fusefs.rules import Access
from fusefs.tree import Entry, Tree


class Union(Tree):
    """Names looked up in both layers, and the nodes made from what is found."""

    def __init__(
        self, table: NodeTable, mounts: Mounts, view_root: Node, home: bytes, store: bytes
    ) -> None:
        self._table = table
        self._files: dict[tuple[Layer, Identity, bool], HomeNode] = {}
        table.thinned.append(self._pack)
        self.root = HomeNode(self, stat.S_IFDIR, view_root, b"home")
        self.backing = Backing(table.descriptors, mounts, self.root, home, store)

    def _pack(self) -> None:
        self._files = dict(self._files)

    def exists_on_host(self, parent: Node, name: bytes) -> bool:
        return isinstance(parent, HomeNode) and self.backing.exists(parent, name)

    # -- finding names ---------------------------------------------------------------------

    def probe(self, parent: HomeNode, name: bytes) -> Found:
        """What ``name`` in ``parent`` is; opens and keeps nothing."""
        layers.check_name(name)
        if not parent.is_dir:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        place = self.backing.place(parent)
        found = Found(place.child(name))
        if place.access is Access.MOUNTPOINT:
            return found
        self._probe_lower(parent, name, found)
        access = found.place.access
        lower_only = found.lower is not None and (
            not found.is_dir or access in (Access.READ_ONLY, Access.MOUNTPOINT)
        )
        if parent.upper is not None and not lower_only:
            store = self.backing.mounts.toward(
                self.backing.fd(parent, "upper"), parent.upper.identity, name
            )
            found.upper = layers.lstat(store, name)
            if found.lower and found.upper and not stat.S_ISDIR(found.upper.st_mode):
                found.upper = None
        return found

    def _probe_lower(self, parent: HomeNode, name: bytes, found: Found) -> None:
        access = found.place.access
        lower = self.backing.shown_lower(parent)
        if lower is None or access is Access.HIDDEN:
            return
        if self.backing.never.holds_name(lower.identity, name):
            return
        dir_fd = self.backing.mounts.toward(self.backing.fd(parent, "lower"), lower.identity, name)
        st = layers.lstat(dir_fd, name)
        if st is None or self.backing.never.holds(layers.identity(st)):
            return
        if stat.S_ISLNK(st.st_mode) and access is not Access.MOUNTPOINT:
            self._probe_link(parent, name, st, found)
        elif access is not Access.ANCESTOR or stat.S_ISDIR(st.st_mode):
            found.lower = st

    def _probe_link(self, parent: HomeNode, name: bytes, st: os.stat_result, found: Found) -> None:
        ancestor = found.place.access is Access.ANCESTOR
        target = self.backing.resolve(parent, name)
        if target.shape is Shape.LINK or (target.shape is Shape.DANGLING and not ancestor):
            found.lower = st
        elif target.stat is not None and (not ancestor or stat.S_ISDIR(target.stat.st_mode)):
            found.place = Place(found.place.at, self.backing.rules.position(target.path))
            if found.place.access is not Access.HIDDEN:
                found.lower = target.stat
                found.own_path = target.path

    def absent(self, parent: HomeNode, name: bytes, place: Place) -> OSError:
        """ENOENT for a name that was not found, an event if the rules are the reason."""
        at_mountpoint = self.backing.place(parent).access is Access.MOUNTPOINT
        exists = not at_mountpoint and self.backing.exists(parent, name)
        if exists or (place.access is Access.HIDDEN and parent.lower is not None):
            return hidden(exists=exists)
        return OSError(errno.ENOENT, os.strerror(errno.ENOENT))

    # -- nodes -----------------------------------------------------------------------------

    def known(self, parent: HomeNode, name: bytes, found: Found) -> HomeNode | None:
        """The node for ``found``, if the kernel knows it."""
        if found.is_dir:
            return parent.children.get(name)
        return self._files.get(self._key(found))

    def entry(self, parent: HomeNode, name: bytes, found: Found) -> Entry:
        """The node for ``found``, a new one if need be, and its attributes."""
        if found.is_dir:
            node = self._directory(parent, name, found)
        else:
            node = self._file(parent, name, found)
        node.own_path = found.own_path
        node.place, node.epoch = found.place, self.backing.epoch
        return Entry(node, show(found))

    def gone(self, parent: HomeNode, name: bytes) -> None:
        """No directory is called ``name`` in ``parent`` any more."""
        node = parent.children.pop(name, None)
        if node is not None:
            self._table.detach(node)

    def dropped(self, node: Node) -> None:
        """Forget where it was found."""
        assert isinstance(node, HomeNode)
        if node.is_dir:
            parent = parent_of(node)
            if parent.children.get(node.name) is node:
                del parent.children[node.name]
            return
        for key in [key for key in self._keys(node) if self._files.get(key) is node]:
            del self._files[key]

    def _key(self, found: Found) -> tuple[Layer, Identity, bool]:
        st = found.decides
        assert st is not None
        layer: Layer = "upper" if found.lower is None else "lower"
        return layer, layers.identity(st), found.place.access is Access.MOUNTPOINT

    def _keys(self, node: HomeNode) -> list[tuple[Layer, Identity, bool]]:
        layer: Layer = "upper" if node.lower is None else "lower"
        return [(layer, anchor_of(node, layer).identity, masked) for masked in (False, True)]

    def _file(self, parent: HomeNode, name: bytes, found: Found) -> HomeNode:
        self.gone(parent, name)
        key = self._key(found)
        node = self._files.get(key)
        if node is not None:
            self._table.move(node, parent, name)
            return node
        layer, inode, _ = key
        node = self._files[key] = HomeNode(self, inode.type, parent, name)
        setattr(node, layer, Anchor(inode))
        self._table.add(node, self._table.number(layer, inode))
        return node

    def _directory(self, parent: HomeNode, name: bytes, found: Found) -> HomeNode:
        node = parent.children.get(name)
        if node is None:
            node = parent.children[name] = HomeNode(self, stat.S_IFDIR, parent, name)
            layer, inode, _ = self._key(found)
            self._table.add(node, self._table.number(layer, inode))
        self._settle(node, "lower", found.lower)
        self._settle(node, "upper", found.upper)
        return node

    def _settle(self, node: HomeNode, layer: Layer, st: os.stat_result | None) -> None:
        """Let ``node`` have the directory that its name has now in ``layer``."""
        old: Anchor | None = getattr(node, layer)
        inode = None if st is None else layers.identity(st)
        if old is not None and old.identity == inode:
            return
        if old is not None:
            self._table.descriptors.close(old)
        setattr(node, layer, None if inode is None else Anchor(inode))
