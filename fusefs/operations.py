"""The pyfuse3 adapter, and only that: requests in, answers out.

Runs in one thread.  A handler finds nodes, asks a tree and counts lookups without awaiting in
between, so no request sees another's work half done; what may take long, fsync and all calls on
network file systems, is left to threads, see `fusefs.slow`.  Nothing but `pyfuse3.FUSEError` leaves
a handler, see `fusefs.answers`: any other exception would end the file system.

What is not here answers ENOSYS, and the kernel stops asking or does it itself: fallocate,
copy_file_range, SEEK_DATA, ioctl, poll, locks.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Sequence

import pyfuse3

from fusefs import layers
from fusefs.answers import NO_ENTRY, Requests, entry_attributes, find, log, statfs_answer
from fusefs.events import Observer, hides_something
from fusefs.handles import DirHandle, FileHandle, Handles
from fusefs.lanes import DEADLINE_SECONDS, Calls
from fusefs.listing import Listing
from fusefs.mounts import Mounts
from fusefs.nodes import Node, NodeTable
from fusefs.replacing import KernelEntry, entry_of, replace_rules
from fusefs.rules import Rules
from fusefs.slow import close_opened
from fusefs.tree import Attributes, Changes, Entry, Opened
from fusefs.view import Budget, View, ViewSettings


class Operations(pyfuse3.Operations):
    """Serves one view.

    ``observer`` gets refusals and redirected creations, with ``trace`` every operation.  ``budget``
    bounds descriptors; by default it follows RLIMIT_NOFILE.  ``deadline``: how many seconds a
    request waits for a network file system below.
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
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        budget = budget or Budget.of_limit()
        self._table = NodeTable(budget.inodes)
        self._calls = Calls(deadline)
        self.mounts = Mounts(self._calls)
        self._view = View(settings, self._table, self.mounts)
        self._files: Handles[FileHandle] = Handles(budget.files)
        self._dirs: Handles[DirHandle] = Handles(budget.directories)
        self._request = Requests(self._calls, self._table, observer, trace)
        self._listing = Listing(self._request, self._table, deadline)
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

    def when_thinned(self, call: Callable[[], None]) -> None:
        """Have ``call`` called whenever the kernel has forgotten three quarters of many inodes."""
        self._table.thinned.append(call)

    @property
    def inodes(self) -> int:
        """How many the kernel knows, with those that are on the way to them."""
        return len(self._table)

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
            return self._counted(
                await self._request(
                    "lookup", ctx.pid, parent, lambda: parent.tree.lookup(parent, name), name
                )
            )
        except pyfuse3.FUSEError as error:
            # What is hidden is not to be remembered as absent: each program that looks for it is
            # to be an event, and a rule that shows it acts at once.
            if error.errno != errno.ENOENT or hides_something(error.__cause__):
                raise
        return NO_ENTRY

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
        return self._counted(
            await self._request.creating(
                "mkdir", ctx.pid, parent, name, lambda: parent.tree.mkdir(parent, name, mode)
            )
        )

    async def mknod(
        self, parent_inode: int, name: bytes, mode: int, rdev: int, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        parent = self._node(parent_inode)
        return self._counted(
            await self._request.creating(
                "mknod", ctx.pid, parent, name, lambda: parent.tree.mknod(parent, name, mode)
            )
        )

    async def symlink(
        self, parent_inode: int, name: bytes, target: bytes, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        parent = self._node(parent_inode)
        return self._counted(
            await self._request.creating(
                "symlink", ctx.pid, parent, name, lambda: parent.tree.symlink(parent, name, target)
            )
        )

    async def link(
        self, inode: int, new_parent_inode: int, new_name: bytes, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        node, parent = self._node(inode), self._node(new_parent_inode)

        def work() -> Entry:
            _check_same_tree(node, parent)
            return parent.tree.link(node, parent, new_name)

        return self._counted(await self._request.creating("link", ctx.pid, parent, new_name, work))

    async def unlink(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> None:
        parent = self._node(parent_inode)
        await self._request(
            "unlink", ctx.pid, parent, lambda: parent.tree.unlink(parent, name), name
        )

    async def rmdir(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> None:
        parent = self._node(parent_inode)
        await self._request("rmdir", ctx.pid, parent, lambda: parent.tree.rmdir(parent, name), name)

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

        def work() -> None:
            _check_same_tree(old, new)
            old.tree.rename(old, name_old, new, name_new, flags)

        await self._request.creating("rename", ctx.pid, new, name_new, work)

    async def readlink(self, inode: int, ctx: pyfuse3.RequestContext) -> bytes:
        node = self._node(inode)
        return await self._request("readlink", ctx.pid, node, lambda: node.tree.readlink(node))

    # -- attributes ------------------------------------------------------------------------

    async def getattr(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        node = self._node(inode)
        shown = await self._request("getattr", ctx.pid, node, lambda: node.tree.attributes(node))
        return entry_attributes(node, shown)

    async def setattr(
        self,
        inode: int,
        attr: pyfuse3.EntryAttributes,
        fields: pyfuse3.SetattrFields,
        fh: int | None,
        ctx: pyfuse3.RequestContext,
    ) -> pyfuse3.EntryAttributes:
        node = self._node(inode)

        def work() -> Attributes:
            changes = Changes(
                mode=stat.S_IMODE(attr.st_mode) if fields.update_mode else None,
                uid=attr.st_uid if fields.update_uid else None,
                gid=attr.st_gid if fields.update_gid else None,
                size=attr.st_size if fields.update_size else None,
                atime_ns=attr.st_atime_ns if fields.update_atime else None,
                mtime_ns=attr.st_mtime_ns if fields.update_mtime else None,
                fd=None if fh is None else self._files[fh].fd,
            )
            return node.tree.change(node, changes)

        return entry_attributes(node, await self._request("setattr", ctx.pid, node, work))

    async def getxattr(self, inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> bytes:
        if not name.startswith(b"user."):
            # Before each write the kernel asks for security.capability (file_remove_privs() in
            # fs/inode.c), and remembers no answer but ENOSYS to all of them.
            raise pyfuse3.FUSEError(errno.EOPNOTSUPP)
        node = self._node(inode)
        return await self._request(
            "getxattr", ctx.pid, node, lambda: node.tree.getxattr(node, name)
        )

    async def listxattr(self, inode: int, ctx: pyfuse3.RequestContext) -> Sequence[bytes]:
        node = self._node(inode)
        return await self._request("listxattr", ctx.pid, node, lambda: node.tree.listxattr(node))

    async def setxattr(
        self, inode: int, name: bytes, value: bytes, ctx: pyfuse3.RequestContext
    ) -> None:
        node = self._node(inode)
        await self._request(
            "setxattr", ctx.pid, node, lambda: node.tree.setxattr(node, name, value)
        )

    async def removexattr(self, inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> None:
        node = self._node(inode)
        await self._request("removexattr", ctx.pid, node, lambda: node.tree.removexattr(node, name))

    async def access(self, inode: int, mode: int, ctx: pyfuse3.RequestContext) -> bool:
        node = self._node(inode)
        return await self._request("access", ctx.pid, node, lambda: node.tree.access(node, mode))

    async def statfs(self, ctx: pyfuse3.RequestContext) -> pyfuse3.StatvfsData:
        view = self._view
        return statfs_answer(await self._request("statfs", ctx.pid, view.root, view.home.statvfs))

    # -- files -----------------------------------------------------------------------------

    async def open(self, inode: int, flags: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        node = self._node(inode)

        def work() -> Opened:
            self._files.check_room()
            return node.tree.open(node, flags)

        return self._opened(node, await self._request("open", ctx.pid, node, work), ctx.pid)

    async def create(
        self,
        parent_inode: int,
        name: bytes,
        mode: int,
        flags: int,
        ctx: pyfuse3.RequestContext,
    ) -> tuple[pyfuse3.FileInfo, pyfuse3.EntryAttributes]:
        parent = self._node(parent_inode)

        def work() -> tuple[Entry, Opened]:
            self._files.check_room()
            return parent.tree.create(parent, name, mode, flags)

        entry, opened = await self._request.creating("create", ctx.pid, parent, name, work)
        return self._opened(entry.node, opened, ctx.pid), self._counted(entry)

    async def read(self, fh: int, off: int, size: int) -> bytes:
        handle = self._file(fh)
        return await self._request(
            "read", handle.pid, handle.node, lambda: layers.read(handle.fd, size, off)
        )

    async def write(self, fh: int, off: int, buf: bytes) -> int:
        handle = self._file(fh)
        return await self._request(
            "write", handle.pid, handle.node, lambda: layers.write(handle.fd, buf, off)
        )

    async def flush(self, fh: int) -> None:
        if not self._view.home.backing.reports_on_close:
            # The kernel takes this for success, of every file, and does not ask again: a third of
            # what opening, reading and closing a small file costs (fuse_flush() in fs/fuse/file.c).
            raise pyfuse3.FUSEError(errno.ENOSYS)
        handle = self._file(fh)
        await self._request("flush", handle.pid, handle.node, lambda: layers.flush(handle.fd))

    async def fsync(self, fh: int, datasync: bool) -> None:
        handle = self._file(fh)
        fd = self._calls.patient(handle.fd)
        await self._request("fsync", handle.pid, handle.node, lambda: layers.sync(fd, datasync))

    async def release(self, fh: int) -> None:
        handle = self._file(fh)
        await self._request("release", handle.pid, handle.node, lambda: self._release(fh, handle))

    # -- directories -----------------------------------------------------------------------

    async def opendir(self, inode: int, ctx: pyfuse3.RequestContext) -> int:
        node = self._node(inode)
        return await self._request(
            "opendir", ctx.pid, node, lambda: self._opened_directory(node, ctx.pid)
        )

    async def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        handle = self._dir(fh)
        await self._listing.report(fh, handle, start_id, token)

    async def fsyncdir(self, fh: int, datasync: bool) -> None:
        handle = self._dir(fh)
        node = handle.node

        def work() -> None:
            fd = node.tree.pinned_for_sync(node)
            if fd is not None:
                layers.sync_directory(self._calls.patient(fd))

        await self._request("fsyncdir", handle.pid, node, work)

    async def releasedir(self, fh: int) -> None:
        handle = self._dir(fh)

        def work() -> None:
            self._dirs.remove(fh)
            self._listing.closed(fh)
            self._table.opened(handle.node, -1)

        await self._request("releasedir", handle.pid, handle.node, work)

    # -- tables ----------------------------------------------------------------------------

    def _node(self, inode: int) -> Node:
        return find(self._table, inode)

    def _file(self, fh: int) -> FileHandle:
        return find(self._files, fh)

    def _dir(self, fh: int) -> DirHandle:
        return find(self._dirs, fh)

    def _opened_directory(self, node: Node, pid: int) -> int:
        self._dirs.check_room()
        node.tree.check_listable(node)
        number = self._dirs.add(DirHandle(node, pid))
        self._table.opened(node, +1)
        return number

    def _release(self, fh: int, handle: FileHandle) -> None:
        self._files.remove(fh)
        self._table.opened(handle.node, -1)
        close_opened(handle.fd)

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
