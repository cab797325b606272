"""Usage: empty_fuse.py DIRECTORY.  Mount the least file system that the operations on files need.

What it takes is what pyfuse3, libfuse and the kernel take: names are kept, contents are not, and
nothing is looked up anywhere.  The kernel asks it what it asks the view: no flush, and for content
when a file is first opened.  Prints a line when it is mounted, ends with its standard input.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Sequence

import pyfuse3
import trio

_SECONDS = 0.9


class Empty(pyfuse3.Operations):
    """Directories and files by number, each file of one of two sizes and full of zeros."""

    enable_writeback_cache = False
    supports_dot_lookup = False

    def __init__(self) -> None:
        self._names: dict[int, dict[bytes, int]] = {pyfuse3.ROOT_INODE: {}}
        self._sizes: dict[int, int] = {}
        self._opened: set[int] = set()
        self._next = pyfuse3.ROOT_INODE + 1

    def _attributes(self, inode: int) -> pyfuse3.EntryAttributes:
        answer = pyfuse3.EntryAttributes()
        answer.st_ino = inode
        answer.entry_timeout = answer.attr_timeout = _SECONDS
        size = self._sizes.get(inode)
        answer.st_mode = stat.S_IFDIR | 0o755 if size is None else stat.S_IFREG | 0o644
        answer.st_nlink = 1
        answer.st_uid, answer.st_gid = os.getuid(), os.getgid()
        answer.st_size = size or 0
        return answer

    def _new(self, parent: int, name: bytes) -> int:
        inode = self._next
        self._next += 1
        self._names[parent][name] = inode
        return inode

    async def lookup(
        self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        inode = self._names[parent_inode].get(name)
        if inode is None:
            raise pyfuse3.FUSEError(errno.ENOENT)
        return self._attributes(inode)

    async def getattr(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        return self._attributes(inode)

    async def setattr(
        self,
        inode: int,
        attr: pyfuse3.EntryAttributes,
        fields: pyfuse3.SetattrFields,
        fh: int | None,
        ctx: pyfuse3.RequestContext,
    ) -> pyfuse3.EntryAttributes:
        if fields.update_size:
            self._sizes[inode] = attr.st_size
        return self._attributes(inode)

    async def mkdir(
        self, parent_inode: int, name: bytes, mode: int, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        inode = self._new(parent_inode, name)
        self._names[inode] = {}
        return self._attributes(inode)

    async def create(
        self,
        parent_inode: int,
        name: bytes,
        mode: int,
        flags: int,
        ctx: pyfuse3.RequestContext,
    ) -> tuple[pyfuse3.FileInfo, pyfuse3.EntryAttributes]:
        inode = self._new(parent_inode, name)
        self._sizes[inode] = 0
        return pyfuse3.FileInfo(fh=pyfuse3.FileHandleT(inode)), self._attributes(inode)

    async def open(self, inode: int, flags: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        known = inode in self._opened
        self._opened.add(inode)
        return pyfuse3.FileInfo(fh=pyfuse3.FileHandleT(inode), keep_cache=known)

    async def read(self, fh: int, off: int, size: int) -> bytes:
        return bytes(max(0, min(size, self._sizes[fh] - off)))

    async def write(self, fh: int, off: int, buf: bytes) -> int:
        self._sizes[fh] = max(self._sizes[fh], off + len(buf))
        return len(buf)

    async def opendir(self, inode: int, ctx: pyfuse3.RequestContext) -> int:
        return inode

    async def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        for offset, (name, inode) in enumerate([*self._names[fh].items()][start_id:], start_id + 1):
            if not pyfuse3.readdir_reply(token, name, self._attributes(inode), offset):
                break

    async def unlink(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> None:
        del self._sizes[self._names[parent_inode].pop(name)]

    async def rmdir(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> None:
        del self._names[self._names[parent_inode].pop(name)]

    async def flush(self, fh: int) -> None:
        raise pyfuse3.FUSEError(errno.ENOSYS)

    async def getxattr(self, inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> bytes:
        raise pyfuse3.FUSEError(errno.EOPNOTSUPP)

    async def release(self, fh: int) -> None:
        return None

    async def releasedir(self, fh: int) -> None:
        return None

    async def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:
        return None


async def _serve(directory: str) -> None:
    pyfuse3.init(Empty(), directory, {"fsname=empty", "default_permissions"})
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pyfuse3.main)
            print("mounted", flush=True)
            await trio.lowlevel.wait_readable(sys.stdin.fileno())
            nursery.cancel_scope.cancel()
    finally:
        pyfuse3.close()


if __name__ == "__main__":
    trio.run(_serve, sys.argv[1])
