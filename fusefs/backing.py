"""What is behind the nodes of the home: the two layers, the rules over them, and the way there.

By inode, never by a path: a node's descriptor that was closed is found again by going down from
the nearest open one above it, a name at a time, and counts only if it is the same inode.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from fusefs import layers
from fusefs.layers import Identity
from fusefs.links import LinkResolver, Shape, Target
from fusefs.merged import HomeNode, Layer, Place, anchor_of, parent_of, stale
from fusefs.mounts import Mounts
from fusefs.nodes import Anchor, Descriptors
from fusefs.places import Places
from fusefs.rules import Access, Kind, Rule, Rules
from fusefs.slow import Slow


class Backing:
    """The host's ``home`` and the ``store``; both absolute paths of directories."""

    def __init__(
        self,
        descriptors: Descriptors,
        mounts: Mounts,
        root: HomeNode,
        home: bytes,
        store: bytes,
    ) -> None:
        self._descriptors = descriptors
        self.mounts = mounts
        self._home = os.path.realpath(home)
        self._store = store
        self._unseen: set[bytes] = set()
        self.root = root
        root.opens = 1  # never forgotten, its descriptors never closed
        for layer, path in (("lower", self._home), ("upper", store)):
            fd, st = layers.pin_root(path)
            anchor = Anchor(layers.identity(st))
            setattr(root, layer, anchor)
            descriptors.adopt(root, anchor, mounts.opened(fd))
        self.epoch = 0
        self.replace_rules(Rules(), ())

    # -- the rules over it -----------------------------------------------------------------

    def replace_rules(self, rules: Rules, never: Iterable[bytes]) -> None:
        """Take new rules; nodes that they hide answer ESTALE from now on.

        The store is never shown by its host path, whether or not it is in ``never``.
        """
        never = [self.mounts.canonical(path) for path in (self._store, *never)]
        prefix = self._home.rstrip(b"/") + b"/"
        inside = [path[len(prefix) :] for path in never if path.startswith(prefix)]
        self.rules = Rules([*rules.rules, *(Rule(path, Kind.NEVER) for path in inside)])
        mountpoints = [prefix + rule.path for rule in rules.rules if rule.kind is Kind.MOUNTPOINT]
        self.never = Places(never, unseen=self._unseen, mounts=self.mounts)
        own = Places(mountpoints, mounts=self.mounts)
        self._links = LinkResolver(self._home, self.rules, self.never, own, self.mounts)
        self.places_changed()

    def never_look_at(self, path: bytes) -> None:
        """Our own mount is at ``path``: a request to ourselves would never be answered."""
        self._unseen.add(path)
        self.never.add_unseen(path)

    def places_changed(self) -> None:
        """A directory moved or the rules changed: places are computed anew."""
        self.epoch += 1
        self.root.place = Place(self.rules.root)
        self.root.epoch = self.epoch

    def place(self, node: HomeNode) -> Place:
        """Where ``node`` is in the rules."""
        way = []
        while node.epoch != self.epoch:
            way.append(node)
            assert isinstance(node.parent, HomeNode)
            node = node.parent
        place = node.place
        for node in reversed(way):
            place = place.child(node.name)
            if node.own_path is not None:
                place = Place(place.at, self.rules.position(node.own_path))
            node.place, node.epoch = place, self.epoch
        return place

    def shown_lower(self, node: HomeNode) -> Anchor | None:
        """The host's side of ``node``, if the rules show it."""
        lower = node.lower
        if lower is None or self.never.holds(lower.identity):
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
        fd = self._descriptors.touch(anchor)
        if fd >= 0:
            return fd
        way = [node]
        while (above := self._above(way[-1], layer)).fd < 0:
            way.append(parent_of(way[-1]))
        fd = above.fd
        for step in reversed(way):
            try:
                inner = self._step(step, self._toward(step, fd, layer), layer)
            finally:
                if step is not way[-1]:
                    os.close(fd)
            fd = inner
        return self._descriptors.adopt(node, anchor, fd)

    def _toward(self, node: HomeNode, parent_fd: int, layer: Layer) -> int:
        """``parent_fd`` for a look at ``node``."""
        parent = anchor_of(parent_of(node), layer).identity
        return self.mounts.toward(parent_fd, parent, node.name)

    def _above(self, node: HomeNode, layer: Layer) -> Anchor:
        if not node.attached:
            raise stale()
        return anchor_of(parent_of(node), layer)

    def _step(self, node: HomeNode, parent_fd: int, layer: Layer) -> int:
        try:
            if layer == "lower" and node.own_path is not None:
                displaced = self.place(parent_of(node)).own is not None
                target = self._links.resolve(parent_fd, node.name, displaced=displaced, keep=True)
                fd, st = target.fd, target.stat
            else:
                fd, st = layers.pin(parent_fd, node.name)
        except FileNotFoundError:
            fd, st = -1, None
        if st is not None and layers.identity(st) == anchor_of(node, layer).identity and fd >= 0:
            return fd
        if fd >= 0:
            os.close(fd)
        raise stale()

    def stat(self, node: HomeNode, layer: Layer) -> os.stat_result:
        """The attributes of ``node`` in ``layer``, without opening what is closed."""
        anchor = anchor_of(node, layer)
        if anchor.fd >= 0 or not node.attached or node.own_path is not None:
            return layers.fstat(self.fd(node, layer))
        dir_fd = self._toward(node, self.fd(parent_of(node), layer), layer)
        found = layers.lstat(dir_fd, node.name)
        if found is None or layers.identity(found) != anchor.identity:
            raise stale()
        return found

    @property
    def reports_on_close(self) -> bool:
        """Whether close(2) of a file in the store may be what reports a failed write."""
        upper = self.root.upper
        return type(upper and upper.fd) is Slow or self.mounts.any_below(self._store)

    # -- the host's names -------------------------------------------------------------------

    def resolve(self, parent: HomeNode, name: bytes) -> Target:
        """What the host's symlink ``name`` in ``parent`` is shown as."""
        displaced = self.place(parent).own is not None
        target = self._links.resolve(self.fd(parent, "lower"), name, displaced=displaced)
        if target.shape is Shape.TARGET and (text := _way_back(parent, target.path)) is not None:
            return Target(Shape.LINK, text)
        return target

    def exists(self, parent: HomeNode, name: bytes) -> bool:
        """Whether the host has ``name`` there; looks, but never through a symlink."""
        names = [name]
        while parent.lower is None or not parent.attached:
            names.append(parent.name)
            parent = parent_of(parent)
        try:
            return self._leads_on(self.fd(parent, "lower"), parent.lower.identity, names)
        except OSError:
            return False

    def _leads_on(self, fd: int, inode: Identity, names: list[bytes]) -> bool:
        """Whether the directory that ``fd`` pins leads by the last of ``names`` to the first."""
        name = names.pop()
        if self.never.holds_name(inode, name):
            return True
        fd = self.mounts.toward(fd, inode, name)
        if not names:
            return layers.lstat(fd, name) is not None
        inner, st = layers.pin(fd, name)
        try:
            return self._leads_on(inner, layers.identity(st), names)
        finally:
            os.close(inner)


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
