"""What a part of the view answers to: a read-only tree, unless it says otherwise.

The models (``view``, ``home``, ``proc``) derive from `Tree`.  They know nothing of FUSE and raise
`OSError` only.  Methods that make an entry return the name's `Entry`; the adapter counts the
lookup.
"""

from __future__ import annotations

import errno
import os
import stat
from abc import ABC, abstractmethod
from typing import NamedTuple

from fusefs.events import read_only
from fusefs.nodes import Node


class Attributes(NamedTuple):
    """The attributes of an inode as the view shows them; times in nanoseconds."""

    mode: int
    nlink: int
    uid: int
    gid: int
    rdev: int
    size: int
    blocks: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, st: os.stat_result) -> Attributes:
        """The host's attributes as they are."""
        return cls(
            st.st_mode,
            st.st_nlink,
            st.st_uid,
            st.st_gid,
            st.st_rdev,
            st.st_size,
            st.st_blocks,
            st.st_atime_ns,
            st.st_mtime_ns,
            st.st_ctime_ns,
        )


class Entry(NamedTuple):
    """A node found or made, with its attributes."""

    node: Node
    attributes: Attributes


class Opened(NamedTuple):
    """A file opened for I/O; ``direct``: its size says nothing, so no caching."""

    fd: int
    direct: bool
    unchanged: bool


class Changes(NamedTuple):
    """What setattr(2)-like calls change; ``None`` leaves as it is.  ``fd``: the open file's."""

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    size: int | None = None
    atime_ns: int | None = None
    mtime_ns: int | None = None
    fd: int | None = None


def unsupported() -> OSError:
    """EOPNOTSUPP."""
    return OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))


class Tree(ABC):
    """A tree in which nothing can be changed; what it has, each kind of tree says itself."""

    #: Whether what is created here goes to the store.
    redirects = False

    @abstractmethod
    def lookup(self, parent: Node, name: bytes) -> Entry:
        """The entry ``name`` of ``parent``; raises ENOENT."""

    @abstractmethod
    def attributes(self, node: Node) -> Attributes:
        """The attributes of ``node`` now."""

    @abstractmethod
    def names(self, node: Node) -> list[bytes]:
        """The names in the directory ``node``, without ``.`` and ``..``."""

    def check_listable(self, node: Node) -> None:  # noqa: B027 - a tree may refuse, most do not
        """Raise `OSError` if the directory ``node`` must not be opened."""

    def dropped(self, node: Node) -> None:  # noqa: B027 - a tree may care, most do not
        """``node`` has left the table."""

    def exists_on_host(self, parent: Node, name: bytes) -> bool:
        """Whether the host has ``name`` there, shown or not."""
        return False

    def open(self, node: Node, flags: int) -> Opened:
        """Open a regular file with open(2) ``flags``; the caller closes the descriptor."""
        raise read_only() if flags & (os.O_ACCMODE | os.O_TRUNC) else unsupported()

    def readlink(self, node: Node) -> bytes:
        """The text of a symlink."""
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    def pinned_for_sync(self, node: Node) -> int | None:
        """The descriptor of the directory ``node`` whose fsync(2) means anything, if one has."""
        return None

    def create(self, parent: Node, name: bytes, mode: int, flags: int) -> tuple[Entry, Opened]:
        """Create a regular file, or open an existing one unless O_EXCL."""
        raise read_only()

    def mkdir(self, parent: Node, name: bytes, mode: int) -> Entry:
        """Create a directory."""
        raise read_only()

    def mknod(self, parent: Node, name: bytes, mode: int) -> Entry:
        """Create a regular file, fifo or socket."""
        raise read_only()

    def symlink(self, parent: Node, name: bytes, target: bytes) -> Entry:
        """Create a symlink."""
        raise read_only()

    def link(self, node: Node, parent: Node, name: bytes) -> Entry:
        """Create a hard link to ``node``."""
        raise read_only()

    def unlink(self, parent: Node, name: bytes) -> None:
        """Remove a name that is not a directory."""
        raise read_only()

    def rmdir(self, parent: Node, name: bytes) -> None:
        """Remove an empty directory."""
        raise read_only()

    def rename(self, old: Node, old_name: bytes, new: Node, new_name: bytes, flags: int) -> None:
        """Rename, with the flags of renameat2(2)."""
        raise read_only()

    def change(self, node: Node, changes: Changes) -> Attributes:
        """Change attributes; returns them all."""
        raise read_only()

    def getxattr(self, node: Node, name: bytes) -> bytes:
        """An extended attribute."""
        raise unsupported()

    def listxattr(self, node: Node) -> list[bytes]:
        """The names of extended attributes."""
        return []

    def setxattr(self, node: Node, name: bytes, value: bytes) -> None:
        """Set an extended attribute."""
        raise read_only()

    def removexattr(self, node: Node, name: bytes) -> None:
        """Remove an extended attribute."""
        raise read_only()

    def access(self, node: Node, mode: int) -> bool:
        """access(2): without ``default_permissions`` the kernel asks us."""
        bits = self.attributes(node).mode
        if mode & os.W_OK and not stat.S_ISLNK(bits):
            raise read_only()
        return not mode & os.X_OK or bool(bits & 0o111)
