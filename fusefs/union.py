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
from collections.abc import Iterable

from fusefs import layers
from fusefs.events import hidden
from fusefs.layers import Identity
from fusefs.links import LinkResolver, Shape, Target
from fusefs.merged import Found, HomeNode, Layer, Place, anchor_of, parent_of, show, stale
from fusefs.nodes import Anchor, Node, NodeTable
from fusefs.places import Places
from fusefs.rules import Access, Kind, Rule, Rules
from fusefs.tree import Entry, Tree


class Union(Tree):
    """The layers, the rules over them, and the nodes made from what they have."""

    def __init__(self, table: NodeTable, view_root: Node, home: bytes, store: bytes) -> None:
        self._table = table
        self._home = os.path.realpath(home)
        self._files: dict[tuple[Layer, Identity, bool], HomeNode] = {}
        self._unseen: set[bytes] = set()
        self.root = HomeNode(self, stat.S_IFDIR, view_root, b"home")
        self.root.opens = 1  # never forgotten, its descriptors never closed
        for layer, path in (("lower", self._home), ("upper", store)):
            fd = layers.open_root(path)
            anchor = Anchor(layers.identity(os.fstat(fd)))
            setattr(self.root, layer, anchor)
            table.descriptors.adopt(self.root, anchor, fd)
        self._epoch = 0
        self.replace_rules(Rules(), ())

    # -- the rules over it -----------------------------------------------------------------

    def replace_rules(self, rules: Rules, never: Iterable[bytes]) -> None:
        """Take new rules; nodes that they hide answer ESTALE from now on."""
        never = [
            os.path.join(os.path.realpath(os.path.dirname(p)), os.path.basename(p))
            for p in map(os.path.abspath, never)
        ]
        prefix = self._home.rstrip(b"/") + b"/"
        inside = [path[len(prefix) :] for path in never if path.startswith(prefix)]
        self._rules = Rules([*rules.rules, *(Rule(path, Kind.NEVER) for path in inside)])
        mountpoints = [prefix + rule.path for rule in rules.rules if rule.kind is Kind.MOUNTPOINT]
        self._never = Places(never, unseen=self._unseen)
        self._links = LinkResolver(self._home, self._rules, self._never, Places(mountpoints))
        self.places_changed()

    def never_look_at(self, path: bytes) -> None:
        """Our own mount is at ``path``: a request to ourselves would never be answered."""
        self._unseen.add(path)
        self._never.add_unseen(path)

    def places_changed(self) -> None:
        """A directory moved or the rules changed: places are computed anew."""
        self._epoch += 1
        self.root.place = Place(self._rules.root)
        self.root.epoch = self._epoch

    def place(self, node: HomeNode) -> Place:
        """Where ``node`` is in the rules."""
        way = []
        while node.epoch != self._epoch:
            way.append(node)
            assert isinstance(node.parent, HomeNode)
            node = node.parent
        place = node.place
        for node in reversed(way):
            place = place.child(node.name)
            if node.own_path is not None:
                place = Place(place.at, self._rules.position(node.own_path))
            node.place, node.epoch = place, self._epoch
        return place

    def shown_lower(self, node: HomeNode) -> Anchor | None:
        """The host's side of ``node``, if the rules show it."""
        lower = node.lower
        if lower is None or self._never.holds(lower.identity):
            return None
        access = self.place(node).access
        if access is Access.HIDDEN or (access is Access.ANCESTOR and not self._passable(node)):
            return None
        return lower

    def _passable(self, node: HomeNode) -> bool:
        return node.is_dir or node.type == stat.S_IFLNK

    # -- descriptors -----------------------------------------------------------------------

    def fd(self, node: HomeNode, layer: Layer) -> int:
        """The descriptor of ``node`` in ``layer``, found again from above if it was closed."""
        anchor = anchor_of(node, layer)
        fd = self._table.descriptors.touch(anchor)
        if fd >= 0:
            return fd
        way = [node]
        while (above := self._above(way[-1], layer)).fd < 0:
            way.append(parent_of(way[-1]))
        fd = above.fd
        for step in reversed(way):
            try:
                inner = self._step(step, fd, layer)
            finally:
                if step is not way[-1]:
                    os.close(fd)
            fd = inner
        return self._table.descriptors.adopt(node, anchor, fd)

    def _above(self, node: HomeNode, layer: Layer) -> Anchor:
        if not node.attached:
            raise stale()
        return anchor_of(parent_of(node), layer)

    def _step(self, node: HomeNode, parent_fd: int, layer: Layer) -> int:
        try:
            if layer == "lower" and node.own_path is not None:
                displaced = self.place(parent_of(node)).own is not None
                fd = self._links.resolve(parent_fd, node.name, displaced=displaced, keep=True).fd
            else:
                fd = layers.open_path(parent_fd, node.name)
        except FileNotFoundError:
            fd = -1
        if fd >= 0 and layers.identity(os.fstat(fd)) == anchor_of(node, layer).identity:
            return fd
        if fd >= 0:
            os.close(fd)
        raise stale()

    def stat(self, node: HomeNode, layer: Layer) -> os.stat_result:
        """The attributes of ``node`` in ``layer``, without opening what is closed."""
        anchor = anchor_of(node, layer)
        if anchor.fd >= 0 or not node.attached or node.own_path is not None:
            return os.fstat(self.fd(node, layer))
        found = layers.lstat(self.fd(parent_of(node), layer), node.name)
        if found is None or layers.identity(found) != anchor.identity:
            raise stale()
        return found

    # -- finding names ---------------------------------------------------------------------

    def probe(self, parent: HomeNode, name: bytes) -> Found:
        """What ``name`` in ``parent`` is; opens and keeps nothing."""
        layers.check_name(name)
        if not parent.is_dir:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        place = self.place(parent)
        found = Found(place.child(name))
        if place.access is Access.MOUNTPOINT:
            return found
        self._probe_lower(parent, name, found)
        access = found.place.access
        lower_only = found.lower is not None and (
            not found.is_dir or access in (Access.READ_ONLY, Access.MOUNTPOINT)
        )
        if parent.upper is not None and not lower_only:
            found.upper = layers.lstat(self.fd(parent, "upper"), name)
            if found.lower and found.upper and not stat.S_ISDIR(found.upper.st_mode):
                found.upper = None
        return found

    def _probe_lower(self, parent: HomeNode, name: bytes, found: Found) -> None:
        access = found.place.access
        lower = self.shown_lower(parent)
        if lower is None or access is Access.HIDDEN:
            return
        if self._never.holds_name(lower.identity, name):
            return
        dir_fd = self.fd(parent, "lower")
        st = layers.lstat(dir_fd, name)
        if st is None or self._never.holds(layers.identity(st)):
            return
        if stat.S_ISLNK(st.st_mode) and access is not Access.MOUNTPOINT:
            self._probe_link(parent, name, st, found)
        elif access is not Access.ANCESTOR or stat.S_ISDIR(st.st_mode):
            found.lower = st

    def _probe_link(self, parent: HomeNode, name: bytes, st: os.stat_result, found: Found) -> None:
        ancestor = found.place.access is Access.ANCESTOR
        target = self.resolve(parent, name)
        if target.shape is Shape.LINK or (target.shape is Shape.DANGLING and not ancestor):
            found.lower = st
        elif target.stat is not None and (not ancestor or stat.S_ISDIR(target.stat.st_mode)):
            found.place = Place(found.place.at, self._rules.position(target.path))
            if found.place.access is not Access.HIDDEN:
                found.lower = target.stat
                found.own_path = target.path

    def resolve(self, parent: HomeNode, name: bytes) -> Target:
        """What the host's symlink ``name`` in ``parent`` is shown as."""
        displaced = self.place(parent).own is not None
        target = self._links.resolve(self.fd(parent, "lower"), name, displaced=displaced)
        if target.shape is Shape.TARGET and (text := _way_back(parent, target.path)) is not None:
            return Target(Shape.LINK, text)
        return target

    def exists_on_host(self, parent: Node, name: bytes) -> bool:
        """Whether the host has ``name`` there; looks, but never through a symlink."""
        assert isinstance(parent, HomeNode)
        names = [name]
        while parent.lower is None or not parent.attached:
            names.append(parent.name)
            parent = parent_of(parent)
        try:
            fd = os.dup(self.fd(parent, "lower"))
        except OSError:
            return False
        try:
            for step in reversed(names[1:]):
                if self._never.holds_name(layers.identity(os.fstat(fd)), step):
                    return True
                inner = layers.open_path(fd, step)
                os.close(fd)
                fd = inner
            if self._never.holds_name(layers.identity(os.fstat(fd)), name):
                return True
            return layers.lstat(fd, name) is not None
        except OSError:
            return False
        finally:
            os.close(fd)

    def absent(self, parent: HomeNode, name: bytes, place: Place) -> OSError:
        """ENOENT for a name that was not found, an event if the rules are the reason."""
        at_mountpoint = self.place(parent).access is Access.MOUNTPOINT
        exists = not at_mountpoint and self.exists_on_host(parent, name)
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
        node.place, node.epoch = found.place, self._epoch
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


def _way_back(node: HomeNode, path: bytes) -> bytes | None:
    """A relative link from ``node`` to ``path`` of the host's home, where that is shown already.

    A directory shown in place of a symlink may have a link into itself: shown as a directory again
    it would have no end.
    """
    ups: list[bytes] = []
    while isinstance(node.parent, HomeNode):
        own = node.own_path
        if own is not None and (path + b"/").startswith(own + b"/"):
            rest = path[len(own) + 1 :]
            return b"/".join([*ups, *([rest] if rest else [])]) or b"."
        ups.append(b"..")
        node = node.parent
    return None
