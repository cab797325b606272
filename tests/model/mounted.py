"""The view on a real mount, asked as a program asks: names from descriptors, nothing followed."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from fusefs.rules import Rule
from tests.model.disk import Path
from tests.model.driver import Facts, facts, held
from tests.support.layouts import Layout
from tests.support.mounts import MountedView

_libc = ctypes.CDLL(None, use_errno=True)
_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC


class Mounted:
    """A `Driver` over a mount of its own, in which the kernel trusts no name for any time."""

    def __init__(self, layout: Layout, rules: Iterable[Rule]) -> None:
        self._umask = os.umask(0)
        self._view = MountedView(layout, rules, entry_seconds=0)
        self._view.__enter__()
        os.stat(self._view.home)  # answered when the session is: before, nothing can be forgotten
        self._handles: set[int] = set()
        self._held: dict[bytes, int] = {}

    def close(self) -> None:
        for handle in list(self._handles):
            self.release(handle)
        self.let_go()
        os.umask(self._umask)
        self._view.__exit__(None, None, None)

    def set_rules(self, rules: Iterable[Rule]) -> None:
        self._view.set_rules(rules)

    def forget(self) -> None:
        """Only root can make the kernel forget."""

    def hold(self, path: Path) -> int:
        with self._pin(path) as pinned:
            token = len(self._held)
            self._held[held(token)] = os.dup(pinned)
            return token

    def let_go(self) -> None:
        for fd in self._held.values():
            os.close(fd)
        self._held.clear()

    # -- names -----------------------------------------------------------------------------

    def stat(self, path: Path) -> Facts:
        if not path:
            return facts(os.stat(self._view.home))
        with self._parent(path) as parent:
            return facts(os.stat(path[-1], dir_fd=parent, follow_symlinks=False))

    def names(self, path: Path) -> set[bytes]:
        with self._pin(path) as pinned:
            listing = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=pinned)
            try:
                listed = [os.fsencode(name) for name in os.listdir(listing)]
            finally:
                os.close(listing)
        assert len(listed) == len(set(listed))
        return set(listed)

    def readlink(self, path: Path) -> bytes:
        with self._parent(path) as parent:
            return os.readlink(path[-1], dir_fd=parent)

    def statfs(self) -> tuple[int, ...]:
        found = os.statvfs(self._view.home)
        return found.f_bsize, found.f_blocks, found.f_namemax

    def mkdir(self, path: Path, mode: int) -> None:
        with self._parent(path) as parent:
            os.mkdir(path[-1], mode, dir_fd=parent)

    def mknod(self, path: Path, kind: int, mode: int) -> None:
        with self._parent(path) as parent:
            os.mknod(path[-1], kind | mode, dir_fd=parent)

    def symlink(self, text: bytes, path: Path) -> None:
        with self._parent(path) as parent:
            os.symlink(text, path[-1], dir_fd=parent)

    def link(self, source: Path, path: Path) -> None:
        with self._parent(source) as old, self._parent(path) as new:
            names = source[-1], path[-1]
            os.link(*names, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)

    def unlink(self, path: Path) -> None:
        with self._parent(path) as parent:
            os.unlink(path[-1], dir_fd=parent)

    def rmdir(self, path: Path) -> None:
        with self._parent(path) as parent:
            os.rmdir(path[-1], dir_fd=parent)

    def rename(self, old: Path, new: Path, flags: int) -> None:
        with self._parent(old) as source, self._parent(new) as destination:
            if _libc.renameat2(source, old[-1], destination, new[-1], ctypes.c_uint(flags)):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number))

    # -- attributes ------------------------------------------------------------------------

    def chmod(self, path: Path, mode: int) -> None:
        with self._by_name(path) as name:
            os.chmod(name, mode)

    def chown(self, path: Path, uid: int, gid: int) -> None:
        with self._by_name(path) as name:
            os.chown(name, uid, gid, follow_symlinks=False)

    def utime(self, path: Path, atime_ns: int, mtime_ns: int) -> None:
        with self._by_name(path) as name:
            os.utime(name, ns=(atime_ns, mtime_ns), follow_symlinks=False)

    def truncate(self, path: Path, size: int) -> None:
        with self._by_name(path) as name:
            os.truncate(name, size)

    def getxattr(self, path: Path, name: bytes) -> bytes:
        with self._by_name(path) as file:
            return os.getxattr(file, name, follow_symlinks=False)

    def listxattr(self, path: Path) -> set[bytes]:
        with self._by_name(path) as file:
            return set(map(os.fsencode, os.listxattr(file, follow_symlinks=False)))

    def setxattr(self, path: Path, name: bytes, value: bytes, flags: int) -> None:
        with self._by_name(path) as file:
            os.setxattr(file, name, value, flags, follow_symlinks=False)

    def removexattr(self, path: Path, name: bytes) -> None:
        with self._by_name(path) as file:
            os.removexattr(file, name, follow_symlinks=False)

    # -- files -----------------------------------------------------------------------------

    def create(self, path: Path, mode: int) -> int:
        return self._open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def open(self, path: Path, flags: int) -> int:
        return self._open(path, flags, 0)

    def read(self, handle: int, offset: int, size: int) -> bytes:
        return os.pread(handle, size, offset)

    def write(self, handle: int, offset: int, data: bytes) -> None:
        assert os.pwrite(handle, data, offset) == len(data)

    def resize(self, handle: int, size: int) -> None:
        os.ftruncate(handle, size)

    def fstat(self, handle: int) -> Facts:
        return facts(os.fstat(handle))

    def sync(self, handle: int) -> None:
        os.fsync(handle)

    def release(self, handle: int) -> None:
        self._handles.discard(handle)
        os.close(handle)

    # -- ways ------------------------------------------------------------------------------

    def _open(self, path: Path, flags: int, mode: int) -> int:
        with self._parent(path) as parent:
            handle = os.open(path[-1], flags | _NO_LINK, mode, dir_fd=parent)
        self._handles.add(handle)
        return handle

    @contextmanager
    def _pin(self, path: Path) -> Iterator[int]:
        """What is at ``path``, a symlink itself included."""
        if path[:1] and path[0] in self._held:
            fd, path = os.dup(self._held[path[0]]), path[1:]
        else:
            fd = os.open(self._view.home, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in path:
                inner = os.open(name, os.O_PATH | _NO_LINK, dir_fd=fd)
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)

    def _parent(self, path: Path) -> AbstractContextManager[int]:
        return self._pin(path[:-1])

    @contextmanager
    def _by_name(self, path: Path) -> Iterator[bytes]:
        """A path for calls that take no directory's descriptor."""
        with self._pin(path[:-1]) as parent:
            yield b"/".join((b"/proc/self/fd/%d" % parent, *(path[-1:] or (b".",))))
