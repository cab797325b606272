"""Reading the home through the union of its layers."""

from __future__ import annotations

import os
import time

from fusefs import layers
from fusefs.events import denied, read_only
from fusefs.links import Shape
from fusefs.merged import Found, HomeNode, Layer, show, stale
from fusefs.nodes import Node
from fusefs.rules import Access
from fusefs.tree import Attributes, Entry, Opened, unsupported
from fusefs.union import Union

# A file changed this recently may change again within the clock's tick and keep its time stamp.
_SETTLED_NS = 50_000_000


class ReadableHome(Union):
    """The part of a home that changes nothing."""

    def lookup(self, parent: Node, name: bytes) -> Entry:
        parent = home_node(parent)
        found = self.probe(parent, name)
        if found.decides is None:
            self.gone(parent, name)
            raise self.absent(parent, name, found.place)
        return self.entry(parent, name, found)

    def attributes(self, node: Node) -> Attributes:
        node = home_node(node)
        found = Found(self.backing.place(node))
        if self.backing.shown_lower(node) is not None:
            found.lower = self.backing.stat(node, "lower")
        if node.upper is not None:
            try:
                found.upper = self.backing.stat(node, "upper")
            except OSError:
                if found.lower is None:
                    raise  # else the store lost its part, and the host's is what remains
        if found.decides is None:
            raise stale()
        return show(found)

    def names(self, node: Node) -> list[bytes]:
        node = home_node(node)
        place = self.backing.place(node)
        names: dict[bytes, None] = {}
        if place.access is Access.MOUNTPOINT:
            return []
        if self.backing.shown_lower(node) is not None:
            if place.access is Access.ANCESTOR:
                lower = sorted(place.at.named_children())
            else:
                lower = layers.list_names(self.backing.fd(node, "lower"))
            names.update(
                (name, None) for name in lower if place.child(name).access is not Access.HIDDEN
            )
        if node.upper is not None:
            names.update((name, None) for name in layers.list_names(self.backing.fd(node, "upper")))
        return list(names)

    def readlink(self, node: Node) -> bytes:
        node = home_node(node)
        if node.upper is not None:
            return layers.read_link(self.backing.fd(node, "upper"))
        if self.backing.shown_lower(node) is None or not node.attached:
            raise stale()
        if self.backing.place(node).access is Access.MOUNTPOINT:
            return layers.read_link(self.backing.fd(node, "lower"))
        target = self.backing.resolve(home_node(node.parent), node.name)
        if target.shape not in (Shape.LINK, Shape.DANGLING):
            raise stale()
        return target.text

    def open(self, node: Node, flags: int) -> Opened:
        node = home_node(node)
        if node.upper is not None and not node.is_dir:
            fd, st = layers.reopen(self.backing.fd(node, "upper"), flags)
        elif self.backing.shown_lower(node) is None:
            raise stale()
        elif flags & (os.O_ACCMODE | os.O_TRUNC):
            raise read_only()
        elif self.backing.place(node).access is Access.MOUNTPOINT:
            raise denied()
        else:
            fd, st = layers.reopen(self.backing.fd(node, "lower"), os.O_RDONLY)
        if node.attached and not st.st_nlink:
            # The host removed or replaced it, and the kernel still trusts the name: on ESTALE it
            # looks again (path_openat() in fs/namei.c).  Else what is written would be lost.
            os.close(fd)
            raise stale()
        return Opened(fd, direct=False, unchanged=self._unchanged(node, st))

    def _unchanged(self, node: HomeNode, st: os.stat_result) -> bool:
        """Whether what the kernel cached at the last open still holds."""
        signature = (st.st_mtime_ns, st.st_ctime_ns, st.st_size)
        same = node.signature == signature
        settled = max(st.st_mtime_ns, st.st_ctime_ns) < time.time_ns() - _SETTLED_NS
        node.signature = signature if settled else None
        return same

    def pinned_for_sync(self, node: Node) -> int | None:
        node = home_node(node)
        return None if node.upper is None else self.backing.fd(node, "upper")

    def statvfs(self) -> os.statvfs_result:
        """How full the store's file system is."""
        return layers.statvfs(self.backing.fd(self.root, "upper"))

    def access(self, node: Node, mode: int) -> bool:
        node = home_node(node)
        layer: Layer = "lower" if self.backing.shown_lower(node) is not None else "upper"
        if mode & os.W_OK and layer == "lower" and not node.is_dir:
            raise read_only()
        return layers.access(self.backing.fd(node, layer), mode)

    def getxattr(self, node: Node, name: bytes) -> bytes:
        return layers.getxattr(self._any_layer(node, name), name)

    def listxattr(self, node: Node) -> list[bytes]:
        names = layers.listxattr(self._any_layer(node, b"user."))
        return [name for name in names if name.startswith(b"user.")]

    def _any_layer(self, node: Node, name: bytes) -> int:
        check_xattr(name)
        node = home_node(node)
        layer: Layer = "lower" if self.backing.shown_lower(node) is not None else "upper"
        return self.backing.fd(node, layer)


def home_node(node: Node | None) -> HomeNode:
    """``node``, which is of the home; ESTALE if it is not."""
    if not isinstance(node, HomeNode):
        raise stale()
    return node


def check_xattr(name: bytes) -> None:
    """Only the user's own attributes: the others mean something to the kernel."""
    if not name.startswith(b"user."):
        raise unsupported()
