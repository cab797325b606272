"""A real directory and its model, changed together: the host's home, or the store behind the view.

A step that the real disk would refuse is left out, so that both always agree.
"""

from __future__ import annotations

import itertools
import os
import shutil
import stat
from pathlib import Path as RealPath

from tests.model.disk import Inode, Path, directory, find, remove, walk

_fresh = itertools.count()


class Ground:
    """``real`` is the directory, ``root`` its model; ``fixed`` are paths that stay as they are."""

    def __init__(self, real: RealPath, root: Inode, fixed: frozenset[Path] = frozenset()) -> None:
        self.real = os.fsencode(real)
        self.root = root
        self.fixed = fixed

    def at(self, path: Path) -> bytes:
        """The real path."""
        return b"/".join((self.real, *path))

    def write(self, path: Path, data: bytes) -> None:
        """Edit a file in place, or make one."""
        inode = find(self.root, path)
        if inode is None and self._is_free(path):
            self._put(path, Inode(stat.S_IFREG, 0o644, data))
            fd = os.open(self.at(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            self._fill(fd, data)
        elif inode is not None and inode.is_file and inode.mode & 0o200 and self._may(path):
            inode.data = data
            self._fill(os.open(self.at(path), os.O_WRONLY | os.O_TRUNC), data, inode.mode)

    def replace(self, path: Path, data: bytes) -> None:
        """Let a new file take the place of one, as editors do."""
        inode = find(self.root, path)
        if inode is None or inode.is_dir or not self._may(path):
            return
        remove(self._parent(path), path[-1])
        self._put(path, Inode(stat.S_IFREG, 0o644, data))
        new = self.at((*path[:-1], b".new%d" % next(_fresh)))
        self._fill(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL), data)
        os.rename(new, self.at(path))

    def mkdir(self, path: Path) -> None:
        """Make a directory."""
        if self._is_free(path):
            self._put(path, directory())
            os.mkdir(self.at(path))
            os.chmod(self.at(path), 0o755)

    def symlink(self, path: Path, text: bytes) -> None:
        """Make a symlink."""
        if self._is_free(path):
            self._put(path, Inode(stat.S_IFLNK, 0o777, text))
            os.symlink(text, self.at(path))

    def link(self, source: Path, path: Path) -> None:
        """Make a hard link of a file."""
        inode = find(self.root, source)
        if inode is not None and inode.is_file and self._is_free(path):
            self._put(path, inode)
            inode.names += 1
            os.link(self.at(source), self.at(path))

    def remove(self, path: Path) -> None:
        """Remove whatever is there, with all below."""
        inode = find(self.root, path)
        if inode is None or not self._may(path):
            return
        remove(self._parent(path), path[-1])
        if inode.is_dir:
            shutil.rmtree(self.at(path))
        else:
            os.unlink(self.at(path))

    def rename(self, old: Path, new: Path) -> None:
        """Move something to a free name."""
        moved = find(self.root, old)
        if moved is None or not self._may(old) or new[: len(old)] == old or not self._is_free(new):
            return
        self._put(new, self._parent(old).children.pop(old[-1]))
        os.rename(self.at(old), self.at(new))

    def chmod(self, path: Path, mode: int) -> None:
        """Give a file a mode."""
        inode = find(self.root, path)
        if inode is not None and inode.is_file and self._may(path):
            inode.mode = mode
            os.chmod(self.at(path), mode)

    def setxattr(self, path: Path, name: bytes, value: bytes) -> None:
        """Give a directory or file an extended attribute."""
        inode = find(self.root, path)
        if inode is not None and (inode.is_file or inode.is_dir) and inode.mode & 0o200:
            inode.xattrs[name] = value
            os.setxattr(self.at(path), name, value)

    def check(self) -> None:
        """The directory is what the model says, to the byte."""
        expected = {path: _known(inode) for path, inode in walk(self.root)}
        found = {}
        for above, directories, files in os.walk(self.real):
            for name in (*directories, *files):
                path = os.path.join(above, name)
                found[tuple(path[len(self.real) + 1 :].split(b"/"))] = _told(path)
        assert found == expected

    def snapshot(self, without: bytes) -> dict[bytes, tuple[int, ...]]:
        """What stat(2) says of everything, but for the subtree ``without``."""
        found: dict[bytes, tuple[int, ...]] = {}
        for above, directories, files in os.walk(self.real):
            directories[:] = [name for name in directories if os.path.join(above, name) != without]
            for name in (*directories, *files):
                path = os.path.join(above, name)
                st = os.lstat(path)
                found[path] = (
                    st.st_ino,
                    st.st_mode,
                    st.st_nlink,
                    st.st_size,
                    st.st_mtime_ns,
                    st.st_ctime_ns,
                )
        return found

    def _parent(self, path: Path) -> Inode:
        parent = find(self.root, path[:-1])
        assert parent is not None
        return parent

    def _put(self, path: Path, inode: Inode) -> None:
        self._parent(path).children[path[-1]] = inode

    def _is_free(self, path: Path) -> bool:
        parent = find(self.root, path[:-1])
        free = parent is not None and parent.is_dir and path[-1] not in parent.children
        return free and self._may(path) and len(path[-1]) <= 255

    def _may(self, path: Path) -> bool:
        """Whether ``path`` is neither below what is fixed nor above it."""
        return not any(
            path[: len(fixed)] == fixed or fixed[: len(path)] == path for fixed in self.fixed
        )

    def _fill(self, fd: int, data: bytes, mode: int = 0o644) -> None:
        try:
            os.write(fd, data)
            os.fchmod(fd, mode)
            # Each edit has a time of its own, whatever the granularity of the file system's clock.
            when = 1_700_000_000_000_000_000 + next(_fresh)
            os.utime(fd, ns=(when, when))
        finally:
            os.close(fd)


def _known(inode: Inode) -> tuple[int, int, int, bytes]:
    links = 0 if inode.is_dir else inode.names
    return inode.kind, inode.mode, links, inode.data


def _told(path: bytes) -> tuple[int, int, int, bytes]:
    st = os.lstat(path)
    kind = stat.S_IFMT(st.st_mode)
    if kind == stat.S_IFREG:
        data = _content(path, st)
    else:
        data = os.readlink(path) if kind == stat.S_IFLNK else b""
    links = 0 if kind == stat.S_IFDIR else st.st_nlink
    return kind, stat.S_IMODE(st.st_mode), links, data


def _content(path: bytes, st: os.stat_result) -> bytes:
    """What is in a file, also one that its owner may not read, whose times stay as they are."""
    readable = bool(st.st_mode & stat.S_IRUSR)
    if not readable:
        os.chmod(path, 0o600)
    try:
        with open(path, "rb") as file:
            return file.read()
    finally:
        if not readable:
            os.chmod(path, stat.S_IMODE(st.st_mode))
