"""Changing the home: everything goes to the store.

A change of what the host owns is EROFS; a rename that would move a directory which the host has
too is EXDEV, so that mv(1) copies.  Nothing is ever copied from the host to the store.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from fusefs import layers
from fusefs.events import Refused, Verdict, read_only
from fusefs.merged import Found, HomeNode, anchor_of, stale
from fusefs.nodes import Anchor, Node, path_of
from fusefs.reading import ReadableHome, check_xattr, home_node
from fusefs.rules import Access
from fusefs.slow import close_opened
from fusefs.tree import Attributes, Changes, Entry, Opened

_SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID
_PERMISSIONS = 0o1777


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Home(ReadableHome):
    """The home as programs see it."""

    redirects = True

    # -- creation --------------------------------------------------------------------------

    def create(self, parent: Node, name: bytes, mode: int, flags: int) -> tuple[Entry, Opened]:
        parent = home_node(parent)
        mode = _checked_mode(mode)
        found = self.probe(parent, name)
        if found.decides is not None:
            if flags & os.O_EXCL:
                raise _error(errno.EEXIST)
            if not stat.S_ISREG(found.decides.st_mode):
                raise stale()  # the kernel knew no such name: it has to look again
            return self._existing(parent, name, found, flags)
        fd, found.upper = layers.create(self._store(parent), name, mode, flags)
        try:
            entry = self.entry(parent, name, found)
            node = home_node(entry.node)
            # As for any open file: it may lose its name behind our back, and is asked about yet.
            self._table.descriptors.adopt(node, anchor_of(node, "upper"), layers.pin_open(fd))
            return entry, Opened(fd, direct=False, unchanged=False)
        except BaseException:
            close_opened(fd)
            raise

    def _existing(
        self, parent: HomeNode, name: bytes, found: Found, flags: int
    ) -> tuple[Entry, Opened]:
        entry = self.entry(parent, name, found)
        try:
            return entry, self.open(entry.node, flags)
        except BaseException:
            self._table.drop(entry.node)
            raise

    def mknod(self, parent: Node, name: bytes, mode: int) -> Entry:
        if stat.S_ISREG(mode) or not stat.S_IFMT(mode):
            entry, opened = self.create(parent, name, mode, os.O_WRONLY | os.O_EXCL)
            close_opened(opened.fd)
            return entry
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            raise Refused(errno.EPERM, Verdict.DENIED, exists=False)
        parent = home_node(parent)
        exact = _checked_mode(mode)
        found, store = self._free(parent, name)
        layers.mknod(store, name, stat.S_IFMT(mode) | exact)
        return self._made(parent, name, found, exact)

    def mkdir(self, parent: Node, name: bytes, mode: int) -> Entry:
        parent = home_node(parent)
        exact = _checked_mode(mode)
        found, store = self._free(parent, name)
        layers.mkdir(store, name, exact)
        return self._made(parent, name, found, exact)

    def symlink(self, parent: Node, name: bytes, target: bytes) -> Entry:
        parent = home_node(parent)
        found, store = self._free(parent, name)
        layers.symlink(store, name, target)
        return self._made(parent, name, found, None)

    def link(self, node: Node, parent: Node, name: bytes) -> Entry:
        node, parent = home_node(node), home_node(parent)
        if node.upper is None:
            raise read_only(path_of(node))
        found = self.probe(parent, name)
        if found.lower is not None:
            raise read_only()
        found, store = self._free(parent, name)
        layers.link(store, name, self.backing.fd(node, "upper"))
        return self._made(parent, name, found, None)

    def _free(self, parent: HomeNode, name: bytes) -> tuple[Found, int]:
        """That ``name`` is free, and the store's directory to make it in."""
        found = self.probe(parent, name)
        if found.decides is not None:
            raise _error(errno.EEXIST)
        return found, self._store(parent)

    def _made(self, parent: HomeNode, name: bytes, found: Found, mode: int | None) -> Entry:
        """The entry for what was just made, given exactly ``mode`` whatever our umask."""
        fd, found.upper = layers.pin(self.backing.fd(parent, "upper"), name)
        try:
            if mode is not None and found.upper.st_mode & _PERMISSIONS != mode:
                inherited = found.upper.st_mode & stat.S_ISGID
                layers.chmod(fd, mode | inherited)
                found.upper = layers.fstat(fd)
            return self.entry(parent, name, found)
        finally:
            os.close(fd)

    def _store(self, node: HomeNode) -> int:
        """The store's side of a directory in which something is created, made on demand."""
        access = self.backing.place(node).access
        host_only = access is Access.READ_ONLY and self.backing.shown_lower(node) is not None
        if access is Access.MOUNTPOINT or host_only:
            raise read_only()
        way = []
        while node.upper is None:
            if not node.attached:
                raise _error(errno.ENOENT)
            way.append(node)
            node = home_node(node.parent)
        fd = self.backing.fd(node, "upper")
        for step in reversed(way):
            fd = self._make_store(step, fd)
        if way:
            # A look, so that where calls are slow the operation is run anew before it changes
            # more: names of the store count here from now on.
            layers.fstat(fd)
        return fd

    def _make_store(self, node: HomeNode, parent_fd: int) -> int:
        mode = stat.S_IMODE(self.backing.stat(node, "lower").st_mode) & 0o777 | stat.S_IRWXU
        # It may be there from before, or be something that the host's directory now covers.
        with contextlib.suppress(FileExistsError):
            layers.mkdir(parent_fd, node.name, mode)
        fd, st = layers.pin(parent_fd, node.name)
        if not stat.S_ISDIR(st.st_mode):
            os.close(fd)
            raise read_only()
        node.upper = Anchor(layers.identity(st))
        return self._table.descriptors.adopt(node, node.upper, fd)

    # -- removal and renaming --------------------------------------------------------------

    def unlink(self, parent: Node, name: bytes) -> None:
        self._remove(home_node(parent), name, directory=False)

    def rmdir(self, parent: Node, name: bytes) -> None:
        self._remove(home_node(parent), name, directory=True)

    def _remove(self, parent: HomeNode, name: bytes, *, directory: bool) -> None:
        found = self._stored(parent, name)
        if found.is_dir is not directory:
            raise _error(errno.ENOTDIR if directory else errno.EISDIR)
        node = self._pinned(parent, name, found)
        store = self.backing.fd(parent, "upper")
        if directory:
            layers.rmdir(store, name)
            self.gone(parent, name)
            return
        layers.unlink(store, name)
        if node is not None:
            self._left(node, parent, name)

    def _stored(self, parent: HomeNode, name: bytes) -> Found:
        """What ``name`` is, the store's own; EROFS if the host has a part in it."""
        found = self.probe(parent, name)
        if found.decides is None:
            raise self.absent(parent, name, found.place)
        if found.lower is not None:
            raise read_only()
        return found

    def _pinned(self, parent: HomeNode, name: bytes, found: Found) -> HomeNode | None:
        """The node that is about to lose its name, holding on to its inode."""
        node = self.known(parent, name, found)
        if node is not None and node.upper is not None:
            try:
                self.backing.fd(node, "upper")
            except OSError as error:
                if error.errno != errno.ESTALE:
                    raise
        return node

    def _left(self, node: HomeNode, parent: HomeNode, name: bytes) -> None:
        if node.parent is parent and node.name == name:
            self._table.detach(node)

    def rename(self, old: Node, old_name: bytes, new: Node, new_name: bytes, flags: int) -> None:
        if flags & ~(layers.RENAME_NOREPLACE | layers.RENAME_EXCHANGE):
            raise _error(errno.EINVAL)
        old, new = home_node(old), home_node(new)
        source = self._movable(old, old_name)
        target = self.probe(new, new_name)
        if target.decides is not None and flags & layers.RENAME_NOREPLACE:
            raise _error(errno.EEXIST)
        if target.lower is not None:
            raise read_only()
        if target.upper is None and flags & layers.RENAME_EXCHANGE:
            raise self.absent(new, new_name, target.place)
        moved = self._pinned(old, old_name, source)
        replaced = None if target.upper is None else self._pinned(new, new_name, target)
        store = self._store(new)
        layers.rename(self.backing.fd(old, "upper"), old_name, store, new_name, flags)
        if moved is not replaced or moved is None:
            exchanged = bool(flags & layers.RENAME_EXCHANGE)
            self._renamed((moved, old, old_name), (replaced, new, new_name), exchanged)

    def _movable(self, parent: HomeNode, name: bytes) -> Found:
        found = self.probe(parent, name)
        if found.lower is not None and found.is_dir:
            raise _error(errno.EXDEV)
        try:
            return self._stored(parent, name)
        except Refused as refusal:
            refusal.path = path_of(parent, name)
            raise

    def _renamed(
        self,
        source: tuple[HomeNode | None, HomeNode, bytes],
        target: tuple[HomeNode | None, HomeNode, bytes],
        exchanged: bool,
    ) -> None:
        """Let the nodes follow what the store did."""
        moved, old, old_name = source
        replaced, new, new_name = target
        old.children.pop(old_name, None)
        new.children.pop(new_name, None)
        if moved is not None:
            self._arrived(moved, new, new_name)
        if replaced is not None and exchanged:
            self._arrived(replaced, old, old_name)
        elif replaced is not None:
            self._left(replaced, new, new_name)
        if any(node is not None and node.is_dir for node in (moved, replaced)):
            self.backing.places_changed()

    def _arrived(self, node: HomeNode, parent: HomeNode, name: bytes) -> None:
        if node.is_dir:
            parent.children[name] = node
        self._table.move(node, parent, name)

    # -- attributes ------------------------------------------------------------------------

    def change(self, node: Node, changes: Changes) -> Attributes:
        fd = self._changeable(home_node(node))
        st = layers.fstat(fd)
        groups = (None, st.st_gid, os.getgid())  # the last: as which any of the owner's is shown
        if changes.uid not in (None, st.st_uid) or changes.gid not in groups:
            raise Refused(errno.EPERM, Verdict.DENIED)
        if changes.size is not None:
            if not stat.S_ISREG(st.st_mode):
                raise _error(errno.EISDIR if stat.S_ISDIR(st.st_mode) else errno.EINVAL)
            if changes.fd is None:
                layers.truncate(fd, changes.size)
            else:
                layers.truncate_open(changes.fd, changes.size)
        if changes.mode is not None:
            # Bits that are there already, inherited from a directory of the store, may stay.
            _checked_mode(changes.mode & ~st.st_mode)
            layers.chmod(fd, stat.S_IMODE(changes.mode))
        if changes.atime_ns is not None or changes.mtime_ns is not None:
            atime = st.st_atime_ns if changes.atime_ns is None else changes.atime_ns
            mtime = layers.fstat(fd).st_mtime_ns if changes.mtime_ns is None else changes.mtime_ns
            layers.utime(fd, atime, mtime)
        return self.attributes(node)

    def _changeable(self, node: HomeNode) -> int:
        """The descriptor of what only the store has."""
        if self.backing.shown_lower(node) is not None:
            raise read_only()
        return self.backing.fd(node, "upper")

    def setxattr(self, node: Node, name: bytes, value: bytes) -> None:
        check_xattr(name)
        layers.setxattr(self._changeable(home_node(node)), name, value)

    def removexattr(self, node: Node, name: bytes) -> None:
        check_xattr(name)
        layers.removexattr(self._changeable(home_node(node)), name)


def _checked_mode(mode: int) -> int:
    """The permission bits of ``mode``; set-id bits are refused with EPERM."""
    if mode & _SPECIAL_BITS:
        raise Refused(errno.EPERM, Verdict.DENIED, exists=False)
    return stat.S_IMODE(mode)
