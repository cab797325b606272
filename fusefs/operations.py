"""The pyfuse3 adapter, and only that: requests in, answers out.

Runs in one thread.  A handler finds nodes, asks a tree and counts lookups without awaiting in
between, so no request sees another's work half done; only fsync goes to a worker thread, with a
descriptor of its own.  Nothing but `pyfuse3.FUSEError` leaves a handler, see `fusefs.answers`: any
other exception would end the file system.

What is not here answers ENOSYS, and the kernel stops asking or does it itself: fallocate,
copy_file_range, SEEK_DATA, ioctl, poll, locks.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Sequence

import pyfuse3

from fusefs.answers import Requests, entry_attributes, log, no_entry, statfs_answer
from fusefs.events import Observer, hides_something
from fusefs.handles import DirHandle, FileHandle, Handles, Listings
from fusefs.nodes import Node, NodeTable
from fusefs.replacing import KernelEntry, entry_of, replace_rules
from fusefs.rules import Rules
from fusefs.transfer import sync, write_all
from fusefs.tree import Changes, Entry, Opened
from fusefs.view import Budget, View, ViewSettings

#: Names of open directories that are kept, of 300 bytes at most.
_LISTED_NAMES = 250_000


class Operations(pyfuse3.Operations):
    """Serves one view.

    ``observer`` gets refusals and redirected creations, with ``trace`` every operation.  ``budget``
    bounds descriptors; by default it follows RLIMIT_NOFILE.
    """

    supports_dot_lookup = False
    enable_writeback_cache = False

    def __init__(
        self,
        settings: ViewSettings,
        observer: Observer,
        *,
        trace: bool = False,
        budget: Budget | None = None,
    ) -> None:
        budget = budget or Budget.of_limit()
        self._table = NodeTable(budget.inodes)
        self._view = View(settings, self._table)
        self._files: Handles[FileHandle] = Handles(budget.files)
        self._dirs: Handles[DirHandle] = Handles(budget.directories)
        self._listings = Listings(_LISTED_NAMES)
        self._request = Requests(self._table, observer, trace)
        self._closed = False

    def replace_rules(
        self, rules: Rules, never: tuple[bytes, ...], unmount: Iterable[bytes] = ()
    ) -> list[KernelEntry]:
        """New policy, at once; what the kernel remembers wrongly now is for `forget_entries`.

        So are ``unmount``, paths relative to the home on which something was mounted.
        """
        backing = self._view.home.backing
        entries = replace_rules(backing, self._table, rules, never)
        covered = (entry_of(backing.root, path) for path in unmount)
        return [*entries, *(entry for entry in covered if entry and entry not in entries)]

    def never_look_at(self, mountpoint: bytes) -> None:
        """The view is about to be mounted there, on the host that it shows."""
        self._view.home.backing.never_look_at(mountpoint)

    def close(self) -> None:
        """Close every descriptor; the operations are of no use afterwards."""
        if not self._closed:
            self._closed = True
            self._files.close_all()
            self._table.descriptors.close_all()
            self._view.proc.close()

    # -- names -----------------------------------------------------------------------------

    async def lookup(
        self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        parent = self._node(parent_inode)
        try:
            with self._request("lookup", ctx.pid, parent, name):
                return self._counted(parent.tree.lookup(parent, name))
        except pyfuse3.FUSEError as error:
            # What is hidden is not to be remembered as absent: each program that looks for it is
            # to be an event, and a rule that shows it acts at once.
            if error.errno != errno.ENOENT or hides_something(error.__cause__):
                raise
        return no_entry()

    async def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:
        try:
            for number, lookups in inode_list:
                self._table.forget(number, lookups)
        except Exception:  # noqa: BLE001 - there is no one to answer, and none may leave
            log.exception("forget failed")

    async def mkdir(
        self, parent_inode: int, name: bytes, mode: int, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        parent = self._node(parent_inode)
        with self._request("mkdir", ctx.pid, parent, name, creates=True):
            return self._counted(parent.tree.mkdir(parent, name, mode))

    async def mknod(
        self, parent_inode: int, name: bytes, mode: int, rdev: int, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        parent = self._node(parent_inode)
        with self._request("mknod", ctx.pid, parent, name, creates=True):
            return self._counted(parent.tree.mknod(parent, name, mode))

    async def symlink(
        self, parent_inode: int, name: bytes, target: bytes, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        parent = self._node(parent_inode)
        with self._request("symlink", ctx.pid, parent, name, creates=True):
            return self._counted(parent.tree.symlink(parent, name, target))

    async def link(
        self, inode: int, new_parent_inode: int, new_name: bytes, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        node, parent = self._node(inode), self._node(new_parent_inode)
        with self._request("link", ctx.pid, parent, new_name, creates=True):
            _check_same_tree(node, parent)
            return self._counted(parent.tree.link(node, parent, new_name))

    async def unlink(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> None:
        parent = self._node(parent_inode)
        with self._request("unlink", ctx.pid, parent, name):
            parent.tree.unlink(parent, name)

    async def rmdir(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> None:
        parent = self._node(parent_inode)
        with self._request("rmdir", ctx.pid, parent, name):
            parent.tree.rmdir(parent, name)

    async def rename(
        self,
        parent_inode_old: int,
        name_old: bytes,
        parent_inode_new: int,
        name_new: bytes,
        flags: int,
        ctx: pyfuse3.RequestContext,
    ) -> None:
        old, new = self._node(parent_inode_old), self._node(parent_inode_new)
        with self._request("rename", ctx.pid, new, name_new, creates=True):
            _check_same_tree(old, new)
            old.tree.rename(old, name_old, new, name_new, flags)

    async def readlink(self, inode: int, ctx: pyfuse3.RequestContext) -> bytes:
        node = self._node(inode)
        with self._request("readlink", ctx.pid, node):
            return node.tree.readlink(node)

    # -- attributes ------------------------------------------------------------------------

    async def getattr(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        node = self._node(inode)
        with self._request("getattr", ctx.pid, node):
            return entry_attributes(node, node.tree.attributes(node))

    async def setattr(
        self,
        inode: int,
        attr: pyfuse3.EntryAttributes,
        fields: pyfuse3.SetattrFields,
        fh: int | None,
        ctx: pyfuse3.RequestContext,
    ) -> pyfuse3.EntryAttributes:
        node = self._node(inode)
        with self._request("setattr", ctx.pid, node):
            changes = Changes(
                mode=stat.S_IMODE(attr.st_mode) if fields.update_mode else None,
                uid=attr.st_uid if fields.update_uid else None,
                gid=attr.st_gid if fields.update_gid else None,
                size=attr.st_size if fields.update_size else None,
                atime_ns=attr.st_atime_ns if fields.update_atime else None,
                mtime_ns=attr.st_mtime_ns if fields.update_mtime else None,
                fd=None if fh is None else self._files[fh].fd,
            )
            return entry_attributes(node, node.tree.change(node, changes))

    async def getxattr(self, inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> bytes:
        node = self._node(inode)
        with self._request("getxattr", ctx.pid, node):
            return node.tree.getxattr(node, name)

    async def listxattr(self, inode: int, ctx: pyfuse3.RequestContext) -> Sequence[bytes]:
        node = self._node(inode)
        with self._request("listxattr", ctx.pid, node):
            return node.tree.listxattr(node)

    async def setxattr(
        self, inode: int, name: bytes, value: bytes, ctx: pyfuse3.RequestContext
    ) -> None:
        node = self._node(inode)
        with self._request("setxattr", ctx.pid, node):
            node.tree.setxattr(node, name, value)

    async def removexattr(self, inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> None:
        node = self._node(inode)
        with self._request("removexattr", ctx.pid, node):
            node.tree.removexattr(node, name)

    async def access(self, inode: int, mode: int, ctx: pyfuse3.RequestContext) -> bool:
        node = self._node(inode)
        with self._request("access", ctx.pid, node):
            return node.tree.access(node, mode)

    async def statfs(self, ctx: pyfuse3.RequestContext) -> pyfuse3.StatvfsData:
        with self._request("statfs", ctx.pid, self._view.root):
            return statfs_answer(self._view.home.statvfs())

    # -- files -----------------------------------------------------------------------------

    async def open(self, inode: int, flags: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        node = self._node(inode)
        with self._request("open", ctx.pid, node):
            self._files.check_room()
            return self._opened(node, node.tree.open(node, flags), ctx.pid)

    async def create(
        self,
        parent_inode: int,
        name: bytes,
        mode: int,
        flags: int,
        ctx: pyfuse3.RequestContext,
    ) -> tuple[pyfuse3.FileInfo, pyfuse3.EntryAttributes]:
        parent = self._node(parent_inode)
        with self._request("create", ctx.pid, parent, name, creates=True):
            self._files.check_room()
            entry, opened = parent.tree.create(parent, name, mode, flags)
            return self._opened(entry.node, opened, ctx.pid), self._counted(entry)

    async def read(self, fh: int, off: int, size: int) -> bytes:
        handle = self._file(fh)
        with self._request("read", handle.pid, handle.node):
            return os.pread(handle.fd, size, off)

    async def write(self, fh: int, off: int, buf: bytes) -> int:
        handle = self._file(fh)
        with self._request("write", handle.pid, handle.node):
            return write_all(handle.fd, buf, off)

    async def flush(self, fh: int) -> None:
        handle = self._file(fh)
        with self._request("flush", handle.pid, handle.node):
            # close(2) of a duplicate is where a network file system reports what a write hid.
            os.close(os.dup(handle.fd))

    async def fsync(self, fh: int, datasync: bool) -> None:
        handle = self._file(fh)
        with self._request("fsync", handle.pid, handle.node):
            await sync(os.dup(handle.fd), datasync)

    async def release(self, fh: int) -> None:
        handle = self._file(fh)
        with self._request("release", handle.pid, handle.node):
            self._files.remove(fh)
            self._table.opened(handle.node, -1)
            os.close(handle.fd)

    # -- directories -----------------------------------------------------------------------

    async def opendir(self, inode: int, ctx: pyfuse3.RequestContext) -> int:
        node = self._node(inode)
        with self._request("opendir", ctx.pid, node):
            self._dirs.check_room()
            node.tree.check_listable(node)
            number = self._dirs.add(DirHandle(node, ctx.pid))
            self._table.opened(node, +1)
            return number

    async def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        handle = self._dir(fh)
        with self._request("readdir", handle.pid, handle.node):
            names = self._listings.get(fh)
            if start_id == 0 or names is None:
                names = [b".", b"..", *handle.node.tree.names(handle.node)]
                self._listings.keep(fh, names)
            for index in range(start_id, len(names)):
                if not self._listed(handle.node, names[index], index + 1, token):
                    break

    async def fsyncdir(self, fh: int, datasync: bool) -> None:
        handle = self._dir(fh)
        with self._request("fsyncdir", handle.pid, handle.node):
            fd = handle.node.tree.open_for_sync(handle.node)
            if fd is not None:
                await sync(fd, datasync)

    async def releasedir(self, fh: int) -> None:
        handle = self._dir(fh)
        with self._request("releasedir", handle.pid, handle.node):
            self._dirs.remove(fh)
            self._listings.drop(fh)
            self._table.opened(handle.node, -1)

    def _listed(self, node: Node, name: bytes, next_id: int, token: pyfuse3.ReaddirToken) -> bool:
        """Report one entry; ``False`` when there is no more room for it."""
        if name in (b".", b".."):
            # Only number and type are used, and no lookup is counted (fuse_direntplus_link).
            shown = node if name == b"." or node.parent is None else node.parent
            attributes = entry_attributes(shown, shown.tree.attributes(shown))
            return pyfuse3.readdir_reply(token, name, attributes, next_id)
        try:
            entry = node.tree.lookup(node, name)
        except OSError:
            return True  # gone since the listing began, or hidden
        accepted = pyfuse3.readdir_reply(token, name, entry_attributes(*entry), next_id)
        if accepted:
            entry.node.lookups += 1
        else:
            self._table.drop(entry.node)
        return accepted

    # -- tables ----------------------------------------------------------------------------

    def _node(self, inode: int) -> Node:
        with self._request("find", 0, None):
            return self._table[inode]

    def _file(self, fh: int) -> FileHandle:
        with self._request("find", 0, None):
            return self._files[fh]

    def _dir(self, fh: int) -> DirHandle:
        with self._request("find", 0, None):
            return self._dirs[fh]

    def _counted(self, entry: Entry) -> pyfuse3.EntryAttributes:
        entry.node.lookups += 1
        return entry_attributes(*entry)

    def _opened(self, node: Node, opened: Opened, pid: int) -> pyfuse3.FileInfo:
        number = self._files.add(FileHandle(node, pid, opened.fd))
        self._table.opened(node, +1)
        return pyfuse3.FileInfo(fh=number, direct_io=opened.direct, keep_cache=opened.unchanged)


def _check_same_tree(one: Node, other: Node) -> None:
    if one.tree is not other.tree:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
