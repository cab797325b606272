"""What programs in the jail do: every operation of the view, each with the model's answer."""

from __future__ import annotations

import errno
import os
import stat

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.model.changes import EXCHANGE, NOREPLACE
from tests.model.disk import Inode, Path
from tests.model.machine import CONTENT, LIKELY, MOVABLE, PATHS, TEXTS, ViewMachine
from tests.model.union import Refusal

FILE_MODES = st.sampled_from((0o644, 0o600, 0o444, 0o755, 0o200, 0o000, 0o4755, 0o2755))
DIRECTORY_MODES = st.sampled_from((0o755, 0o700, 0o777, 0o1777, 0o2755))
FLAGS = st.sampled_from((os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC))
XATTRS = st.sampled_from((b"user.a", b"user.b"))
SIZES = st.integers(0, 20)
TIMES = st.integers(0, 1 << 61)


class JailSteps(ViewMachine):
    """The rules of the jail's side."""

    # -- looking ---------------------------------------------------------------------------

    @rule(path=PATHS)
    def look(self, path: Path) -> None:
        seen, _ = self.both(lambda: self.model.see(path), lambda: self.view.stat(path))
        if seen is not None:
            self.compare(seen)

    @rule()
    def look_everywhere(self) -> None:
        self.compare_everything()

    @rule()
    def statfs(self) -> None:
        real = os.statvfs(self.store.real)
        assert self.view.statfs() == (real.f_bsize, real.f_blocks, real.f_namemax)

    # -- names -----------------------------------------------------------------------------

    @rule(path=PATHS, mode=st.sampled_from((0o755, 0o700, 0o777, 0o1777)))
    def mkdir(self, path: Path, mode: int) -> None:
        self.both(lambda: self.model.mkdir(path, mode), lambda: self.view.mkdir(path, mode))

    @rule(
        path=PATHS,
        kind=st.sampled_from((stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK)),
        mode=FILE_MODES,
    )
    def mknod(self, path: Path, kind: int, mode: int) -> None:
        self.both(
            lambda: self.model.mknod(path, kind, mode), lambda: self.view.mknod(path, kind, mode)
        )

    @rule(path=PATHS, text=TEXTS)
    def symlink(self, path: Path, text: bytes) -> None:
        text = self.text(text)
        self.both(lambda: self.model.symlink(text, path), lambda: self.view.symlink(text, path))

    @rule(source=MOVABLE, path=PATHS)
    def link(self, source: Path, path: Path) -> None:
        self.both(lambda: self.model.link(source, path), lambda: self.view.link(source, path))

    @rule(path=MOVABLE)
    def unlink(self, path: Path) -> None:
        self.both(lambda: self.model.unlink(path), lambda: self.view.unlink(path))

    @rule(path=MOVABLE)
    def rmdir(self, path: Path) -> None:
        self.both(lambda: self.model.rmdir(path), lambda: self.view.rmdir(path))

    @rule(old=MOVABLE, new=MOVABLE, flags=st.sampled_from((0, 0, NOREPLACE, EXCHANGE)))
    def rename(self, old: Path, new: Path, flags: int) -> None:
        self.both(
            lambda: self.model.rename(old, new, flags), lambda: self.view.rename(old, new, flags)
        )

    # -- attributes ------------------------------------------------------------------------

    @rule(path=LIKELY, file_mode=FILE_MODES, directory_mode=DIRECTORY_MODES)
    def chmod(self, path: Path, file_mode: int, directory_mode: int) -> None:
        try:
            inode = self.model.see(path).inode
        except Refusal:
            return
        if not inode.is_link:
            mode = directory_mode if inode.is_dir else file_mode
            self.both(lambda: self.model.chmod(path, mode), lambda: self.view.chmod(path, mode))

    @rule(path=LIKELY, times=st.tuples(TIMES, TIMES))
    def utime(self, path: Path, times: tuple[int, int]) -> None:
        self.both(lambda: self.model.check_own(path), lambda: self.view.utime(path, *times))
        try:
            seen = self.model.see(path)
        except Refusal:
            return
        if seen.host is None:
            assert self.view.stat(path).mtime_ns == times[1]

    @rule(path=LIKELY)
    def chown_to_oneself(self, path: Path) -> None:
        ids = os.getuid(), os.getgid()
        self.both(lambda: self.model.check_own(path), lambda: self.view.chown(path, *ids))

    @rule(path=LIKELY)
    def chown_to_root(self, path: Path) -> None:
        def refused() -> None:
            self.model.see(path)
            raise Refusal(errno.EPERM, errno.EROFS)

        self.both(refused, lambda: self.view.chown(path, 0, 0))

    @rule(path=LIKELY, name=XATTRS)
    def getxattr(self, path: Path, name: bytes) -> None:
        known, got = self.both(
            lambda: self.model.getxattr(path, name), lambda: self.view.getxattr(path, name)
        )
        assert known == got
        if known is not None:
            assert self.view.listxattr(path) == set(self.model.see(path).inode.xattrs)

    @rule(
        path=LIKELY,
        name=XATTRS,
        value=CONTENT,
        flags=st.sampled_from((0, 0, os.XATTR_CREATE, os.XATTR_REPLACE)),
    )
    def setxattr(self, path: Path, name: bytes, value: bytes, flags: int) -> None:
        self.both(
            lambda: self.model.setxattr(path, name, value, flags),
            lambda: self.view.setxattr(path, name, value, flags),
        )

    @rule(path=LIKELY, name=XATTRS)
    def removexattr(self, path: Path, name: bytes) -> None:
        self.both(
            lambda: self.model.removexattr(path, name), lambda: self.view.removexattr(path, name)
        )

    # -- files -----------------------------------------------------------------------------

    @rule(path=PATHS, mode=FILE_MODES)
    def create(self, path: Path, mode: int) -> None:
        inode, handle = self.both(
            lambda: self.model.create(path, mode), lambda: self.view.create(path, mode)
        )
        if inode is not None:
            self.handles.append((handle, inode, os.O_RDWR))

    @rule(path=PATHS, flags=FLAGS)
    def open(self, path: Path, flags: int) -> None:
        if not self._can_be_opened(path):
            return
        inode, handle = self.both(
            lambda: self.model.open(path, flags), lambda: self.view.open(path, flags)
        )
        if inode is not None:
            self.handles.append((handle, inode, flags & os.O_ACCMODE))

    @rule(path=LIKELY, data=CONTENT)
    def append(self, path: Path, data: bytes) -> None:
        if not self._can_be_opened(path):
            return
        inode, handle = self.both(
            lambda: self.model.open(path, os.O_WRONLY), lambda: self.view.open(path, os.O_WRONLY)
        )
        if inode is not None:
            self._write(handle, inode, len(inode.data), data)
            self.view.release(handle)

    @rule(path=PATHS, size=SIZES)
    def truncate(self, path: Path, size: int) -> None:
        if self._can_be_opened(path) and not self.model.see(path).inode.is_link:
            self.both(
                lambda: self.model.truncate(path, size), lambda: self.view.truncate(path, size)
            )

    def _can_be_opened(self, path: Path) -> bool:
        """Not a fifo or socket, which the kernel opens by itself, and not a directory."""
        try:
            inode = self.model.see(path).inode
        except Refusal:
            return False
        return inode.is_file or inode.is_link

    # -- open files ------------------------------------------------------------------------

    @precondition(lambda self: self.handles)
    @rule(number=st.integers(0, 99), offset=SIZES, data=CONTENT)
    def write_open_file(self, number: int, offset: int, data: bytes) -> None:
        handle, inode, access = self._handle(number)
        if access != os.O_RDONLY:
            self._write(handle, inode, offset, data)

    @precondition(lambda self: self.handles)
    @rule(number=st.integers(0, 99))
    def read_open_file(self, number: int) -> None:
        handle, inode, access = self._handle(number)
        if access != os.O_WRONLY:
            assert self.view.read(handle, 0, 1 << 16) == inode.data

    @precondition(lambda self: self.handles)
    @rule(number=st.integers(0, 99), size=SIZES)
    def resize_open_file(self, number: int, size: int) -> None:
        handle, inode, access = self._handle(number)
        if access != os.O_RDONLY:
            inode.resize(size)
            self.view.resize(handle, size)

    @precondition(lambda self: self.handles)
    @rule(number=st.integers(0, 99))
    def look_at_open_file(self, number: int) -> None:
        handle, inode, _ = self._handle(number)
        got = self.view.fstat(handle)
        assert (got.kind, got.mode, got.links) == (inode.kind, inode.mode, inode.names)
        assert got.size == len(inode.data)

    @precondition(lambda self: self.handles)
    @rule(number=st.integers(0, 99))
    def sync_open_file(self, number: int) -> None:
        self.view.sync(self._handle(number)[0])

    @precondition(lambda self: self.handles)
    @rule(number=st.integers(0, 99))
    def close_file(self, number: int) -> None:
        self.view.release(self.handles.pop(number % len(self.handles))[0])

    def _handle(self, number: int) -> tuple[int, Inode, int]:
        return self.handles[number % len(self.handles)]

    def _write(self, handle: int, inode: Inode, offset: int, data: bytes) -> None:
        if data:
            inode.write(offset, data)
        self.view.write(handle, offset, data)
