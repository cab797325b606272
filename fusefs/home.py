"""The home view: what can be read through the union, and changes, which all go to the store.

A change of what the host owns is EROFS; a rename that would move a directory which the host has
too is EXDEV, so that mv(1) copies.  Nothing is ever copied from the host to the store.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time

from fusefs import layers
from fusefs.events import Refused, Verdict, denied, read_only
from fusefs.links import Shape
from fusefs.nodes import Anchor, Node
from fusefs.rules import Access
from fusefs.tree import Attributes, Changes, Entry, Opened, unsupported
from fusefs.union import Found, HomeNode, Union, show, stale

_SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID
_PERMISSIONS = 0o1777
# A file changed this recently may change again within the clock's tick and keep its time stamp.
_SETTLED_NS = 50_000_000


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class Home(Union):
    """The home as programs see it."""

    redirects = True

    # -- reading ---------------------------------------------------------------------------

    def lookup(self, parent: Node, name: bytes) -> Entry:
        parent = _home(parent)
        found = self.probe(parent, name)
        if found.decides is None:
            self.gone(parent, name)
            raise self.absent(parent, name, found.place)
        return self.entry(parent, name, found)

    def attributes(self, node: Node) -> Attributes:
        node = _home(node)
        found = Found(self.place(node))
        if self.shown_lower(node) is not None:
            found.lower = self.stat(node, "lower")
        if node.upper is not None:
            found.upper = self.stat(node, "upper")
        if found.decides is None:
            raise stale()
        return show(found)

    def names(self, node: Node) -> list[bytes]:
        node = _home(node)
        place = self.place(node)
        names: dict[bytes, None] = {}
        if place.access is Access.MOUNTPOINT:
            return []
        if self.shown_lower(node) is not None:
            if place.access is Access.ANCESTOR:
                lower = sorted(place.at.named_children())
            else:
                lower = layers.list_names(self.fd(node, "lower"))
            names.update(
                (name, None) for name in lower if place.child(name).access is not Access.HIDDEN
            )
        if node.upper is not None:
            names.update((name, None) for name in layers.list_names(self.fd(node, "upper")))
        return list(names)

    def readlink(self, node: Node) -> bytes:
        node = _home(node)
        if node.upper is not None:
            return layers.read_link(self.fd(node, "upper"))
        if self.shown_lower(node) is None or not node.attached:
            raise stale()
        target = self._resolve(_home(node.parent), node.name)
        if target.shape not in (Shape.LINK, Shape.DANGLING):
            raise stale()
        return target.text

    def open(self, node: Node, flags: int) -> Opened:
        node = _home(node)
        if node.upper is not None and not node.is_dir:
            fd = layers.reopen(self.fd(node, "upper"), flags)
        elif self.shown_lower(node) is None:
            raise stale()
        elif flags & (os.O_ACCMODE | os.O_TRUNC):
            raise read_only()
        elif self.place(node).access is Access.MOUNTPOINT:
            raise denied()
        else:
            fd = layers.reopen(self.fd(node, "lower"), os.O_RDONLY)
        return Opened(fd, direct=False, unchanged=self._unchanged(node, fd))

    def _unchanged(self, node: HomeNode, fd: int) -> bool:
        """Whether what the kernel cached at the last open still holds."""
        st = os.fstat(fd)
        signature = (st.st_mtime_ns, st.st_ctime_ns, st.st_size)
        same = node.signature == signature
        settled = max(st.st_mtime_ns, st.st_ctime_ns) < time.time_ns() - _SETTLED_NS
        node.signature = signature if settled else None
        return same

    def open_for_sync(self, node: Node) -> int | None:
        node = _home(node)
        return None if node.upper is None else layers.reopen(self.fd(node, "upper"), os.O_RDONLY)

    def statvfs(self) -> os.statvfs_result:
        """How full the store's file system is."""
        return os.fstatvfs(self.fd(self.root, "upper"))

    def access(self, node: Node, mode: int) -> bool:
        node = _home(node)
        layer = "lower" if self.shown_lower(node) is not None else "upper"
        if mode & os.W_OK and layer == "lower" and not node.is_dir:
            raise read_only()
        return os.access(layers.magic_link(self.fd(node, layer)), mode)

    # -- creation --------------------------------------------------------------------------

    def create(self, parent: Node, name: bytes, mode: int, flags: int) -> tuple[Entry, Opened]:
        parent = _home(parent)
        mode = _checked_mode(mode)
        found = self.probe(parent, name)
        if found.decides is not None:
            if flags & os.O_EXCL:
                raise _error(errno.EEXIST)
            if not stat.S_ISREG(found.decides.st_mode):
                raise stale()  # the kernel knew no such name: it has to look again
            entry = self.entry(parent, name, found)
            return entry, self.open(entry.node, flags)
        fd = layers.create(self._store(parent), name, mode, flags)
        try:
            found.upper = os.fstat(fd)
            return self.entry(parent, name, found), Opened(fd, direct=False, unchanged=False)
        except BaseException:
            os.close(fd)
            raise

    def mknod(self, parent: Node, name: bytes, mode: int) -> Entry:
        if stat.S_ISREG(mode) or not stat.S_IFMT(mode):
            entry, opened = self.create(parent, name, mode, os.O_WRONLY | os.O_EXCL)
            os.close(opened.fd)
            return entry
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            raise Refused(errno.EPERM, Verdict.DENIED, exists=False)
        parent = _home(parent)
        exact = _checked_mode(mode)
        found, store = self._free(parent, name)
        os.mknod(name, stat.S_IFMT(mode) | exact, dir_fd=store)
        return self._made(parent, name, found, exact)

    def mkdir(self, parent: Node, name: bytes, mode: int) -> Entry:
        parent = _home(parent)
        exact = _checked_mode(mode)
        found, store = self._free(parent, name)
        os.mkdir(name, exact, dir_fd=store)
        return self._made(parent, name, found, exact)

    def symlink(self, parent: Node, name: bytes, target: bytes) -> Entry:
        parent = _home(parent)
        found, store = self._free(parent, name)
        os.symlink(target, name, dir_fd=store)
        return self._made(parent, name, found, None)

    def link(self, node: Node, parent: Node, name: bytes) -> Entry:
        node, parent = _home(node), _home(parent)
        if node.upper is None:
            raise read_only()
        found = self.probe(parent, name)
        if found.lower is not None:
            raise read_only()
        found, store = self._free(parent, name)
        source = layers.magic_link(self.fd(node, "upper"))
        os.link(source, name, dst_dir_fd=store, follow_symlinks=True)
        return self._made(parent, name, found, None)

    def _free(self, parent: HomeNode, name: bytes) -> tuple[Found, int]:
        """That ``name`` is free, and the store's directory to make it in."""
        found = self.probe(parent, name)
        if found.decides is not None:
            raise _error(errno.EEXIST)
        return found, self._store(parent)

    def _made(self, parent: HomeNode, name: bytes, found: Found, mode: int | None) -> Entry:
        """The entry for what was just made, given exactly ``mode`` whatever our umask."""
        fd = layers.open_path(self.fd(parent, "upper"), name)
        try:
            found.upper = os.fstat(fd)
            if mode is not None and found.upper.st_mode & _PERMISSIONS != mode:
                inherited = found.upper.st_mode & stat.S_ISGID
                os.chmod(layers.magic_link(fd), mode | inherited)
                found.upper = os.fstat(fd)
            return self.entry(parent, name, found)
        finally:
            os.close(fd)

    def _store(self, node: HomeNode) -> int:
        """The store's side of a directory in which something is created, made on demand."""
        access = self.place(node).access
        host_only = access is Access.READ_ONLY and self.shown_lower(node) is not None
        if access is Access.MOUNTPOINT or host_only:
            raise read_only()
        way = []
        while node.upper is None:
            if not node.attached:
                raise _error(errno.ENOENT)
            way.append(node)
            node = _home(node.parent)
        fd = self.fd(node, "upper")
        for step in reversed(way):
            fd = self._make_store(step, fd)
        return fd

    def _make_store(self, node: HomeNode, parent_fd: int) -> int:
        mode = stat.S_IMODE(self.stat(node, "lower").st_mode) & 0o777 | stat.S_IRWXU
        # It may be there from before, or be something that the host's directory now covers.
        with contextlib.suppress(FileExistsError):
            os.mkdir(node.name, mode, dir_fd=parent_fd)
        fd = layers.open_path(parent_fd, node.name)
        st = os.fstat(fd)
        if not stat.S_ISDIR(st.st_mode):
            os.close(fd)
            raise read_only()
        node.upper = Anchor(layers.identity(st))
        return self._table.descriptors.adopt(node, node.upper, fd)

    # -- removal and renaming --------------------------------------------------------------

    def unlink(self, parent: Node, name: bytes) -> None:
        self._remove(_home(parent), name, directory=False)

    def rmdir(self, parent: Node, name: bytes) -> None:
        self._remove(_home(parent), name, directory=True)

    def _remove(self, parent: HomeNode, name: bytes, *, directory: bool) -> None:
        found = self._stored(parent, name)
        if found.is_dir is not directory:
            raise _error(errno.ENOTDIR if directory else errno.EISDIR)
        node = self._pinned(parent, name, found)
        store = self.fd(parent, "upper")
        if directory:
            os.rmdir(name, dir_fd=store)
            self.gone(parent, name)
            return
        os.unlink(name, dir_fd=store)
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
                self.fd(node, "upper")
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
        old, new = _home(old), _home(new)
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
        layers.rename(self.fd(old, "upper"), old_name, store, new_name, flags)
        if moved is not replaced or moved is None:
            exchanged = bool(flags & layers.RENAME_EXCHANGE)
            self._renamed((moved, old, old_name), (replaced, new, new_name), exchanged)

    def _movable(self, parent: HomeNode, name: bytes) -> Found:
        found = self.probe(parent, name)
        if found.lower is not None and found.is_dir:
            raise _error(errno.EXDEV)
        return self._stored(parent, name)

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
        self.places_changed()

    def _arrived(self, node: HomeNode, parent: HomeNode, name: bytes) -> None:
        if node.is_dir:
            parent.children[name] = node
        self._table.move(node, parent, name)

    # -- attributes ------------------------------------------------------------------------

    def change(self, node: Node, changes: Changes) -> Attributes:
        fd = self._changeable(_home(node))
        st = os.fstat(fd)
        if changes.uid not in (None, st.st_uid) or changes.gid not in (None, st.st_gid):
            raise Refused(errno.EPERM, Verdict.DENIED)
        path = layers.magic_link(fd)
        if changes.size is not None:
            if not stat.S_ISREG(st.st_mode):
                raise _error(errno.EISDIR if stat.S_ISDIR(st.st_mode) else errno.EINVAL)
            os.truncate(path if changes.fd is None else changes.fd, changes.size)
        if changes.mode is not None:
            os.chmod(path, _checked_mode(changes.mode))
        if changes.atime_ns is not None or changes.mtime_ns is not None:
            atime = st.st_atime_ns if changes.atime_ns is None else changes.atime_ns
            mtime = os.fstat(fd).st_mtime_ns if changes.mtime_ns is None else changes.mtime_ns
            os.utime(path, ns=(atime, mtime))
        return self.attributes(node)

    def _changeable(self, node: HomeNode) -> int:
        """The descriptor of what only the store has."""
        if self.shown_lower(node) is not None:
            raise read_only()
        return self.fd(node, "upper")

    def getxattr(self, node: Node, name: bytes) -> bytes:
        return os.getxattr(self._any_layer(node, name), name)

    def listxattr(self, node: Node) -> list[bytes]:
        names = map(os.fsencode, os.listxattr(self._any_layer(node, b"user.")))
        return [name for name in names if name.startswith(b"user.")]

    def setxattr(self, node: Node, name: bytes, value: bytes) -> None:
        _check_xattr(name)
        os.setxattr(layers.magic_link(self._changeable(_home(node))), name, value)

    def removexattr(self, node: Node, name: bytes) -> None:
        _check_xattr(name)
        os.removexattr(layers.magic_link(self._changeable(_home(node))), name)

    def _any_layer(self, node: Node, name: bytes) -> bytes:
        _check_xattr(name)
        node = _home(node)
        layer = "lower" if self.shown_lower(node) is not None else "upper"
        return layers.magic_link(self.fd(node, layer))


def _home(node: Node | None) -> HomeNode:
    if not isinstance(node, HomeNode):
        raise stale()
    return node


def _checked_mode(mode: int) -> int:
    """The permission bits of ``mode``; set-id bits are refused with EPERM."""
    if mode & _SPECIAL_BITS:
        raise Refused(errno.EPERM, Verdict.DENIED, exists=False)
    return stat.S_IMODE(mode)


def _check_xattr(name: bytes) -> None:
    if not name.startswith(b"user."):
        raise unsupported()
