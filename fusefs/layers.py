"""The only way to the host's files: one name at a time, from a descriptor, following nothing.

A descriptor made here is ``O_PATH|O_NOFOLLOW``: it pins one inode, whatever its type, and has no
side effects.  What can be written to can be swapped for a symlink or a fifo at any moment, so
a path of more than one component is never given to the kernel, and nothing is opened for I/O but
through `reopen`, which looks at the type of the inode already pinned.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from typing import NamedTuple

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2

_PATH_FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
# What a caller's open(2) flags may ask of our own descriptor.  Not O_APPEND: the kernel sends the
# offset of each write.  Not O_NOFOLLOW: it would refuse the magic link.  Not O_DIRECT: it asks
# for alignment that requests do not have.
_IO_FLAGS = os.O_ACCMODE | os.O_TRUNC | os.O_SYNC | os.O_DSYNC
_NAME_MAX = 255

_libc = ctypes.CDLL(None, use_errno=True)


class Identity(NamedTuple):
    """What makes an inode the same one: where it is, and its type (numbers are used again)."""

    dev: int
    ino: int
    type: int


def identity(st: os.stat_result) -> Identity:
    """The identity of what ``st`` describes."""
    return Identity(st.st_dev, st.st_ino, stat.S_IFMT(st.st_mode))


def check_name(name: bytes) -> None:
    """Raise `OSError` unless ``name`` is one component of a path."""
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    if len(name) > _NAME_MAX:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


def open_path(dir_fd: int, name: bytes) -> int:
    """Pin the inode at ``name``, a symlink itself included."""
    check_name(name)
    return os.open(name, _PATH_FLAGS, dir_fd=dir_fd)


def open_parent(dir_fd: int) -> int:
    """Pin the directory above ``dir_fd``."""
    return os.open(b"..", _PATH_FLAGS | os.O_DIRECTORY, dir_fd=dir_fd)


def open_root(path: bytes) -> int:
    """Pin the directory at ``path``, which the caller chose: symlinks are followed."""
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def lstat(dir_fd: int, name: bytes) -> os.stat_result | None:
    """The attributes of ``name``, or ``None`` when there is no such name."""
    check_name(name)
    try:
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def magic_link(fd: int) -> bytes:
    """A path to the very inode that ``fd`` pins, for calls that take no descriptor (proc(5)).

    Not followed further if that inode is a symlink.
    """
    return b"/proc/self/fd/%d" % fd


def real_path(fd: int) -> bytes:
    """Where the kernel says that ``fd`` is; raises ESTALE when it is nowhere any more."""
    path = os.readlink(magic_link(fd))
    if not path.startswith(b"/") or path.endswith(b" (deleted)"):
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
    return path


def read_link(fd: int) -> bytes:
    """The text of the symlink that ``fd`` pins (readlinkat(2) with an empty path)."""
    return os.readlink(b"", dir_fd=fd)


def reopen(fd: int, flags: int) -> int:
    """Open the inode that ``fd`` pins for I/O: the one gate.

    Regular files and directories only: a fifo would block, a device would act, a socket cannot be
    opened.  Others raise EACCES.
    """
    kind = stat.S_IFMT(os.fstat(fd).st_mode)
    if kind == stat.S_IFDIR:
        # Not "." below it: that would be a search, and mode 0600 allows to read the names only.
        return os.open(magic_link(fd), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if kind != stat.S_IFREG:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    return os.open(magic_link(fd), flags & _IO_FLAGS | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


def create(dir_fd: int, name: bytes, mode: int, flags: int) -> int:
    """Create a regular file that was not there, with exactly ``mode``, opened with ``flags``."""
    check_name(name)
    wanted = flags & _IO_FLAGS | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, wanted, mode & 0o777, dir_fd=dir_fd)
    try:
        # The kernel applied the caller's umask already; ours must not count.
        if stat.S_IMODE(os.fstat(fd).st_mode) != mode:
            os.fchmod(fd, mode)
    except BaseException:
        os.close(fd)
        raise
    return fd


def list_names(fd: int) -> list[bytes]:
    """The names in the directory that ``fd`` pins."""
    listing = reopen(fd, os.O_RDONLY)
    try:
        return [os.fsencode(name) for name in os.listdir(listing)]
    finally:
        os.close(listing)


def rename(src_fd: int, src: bytes, dst_fd: int, dst: bytes, flags: int) -> None:
    """renameat2(2) with ``RENAME_NOREPLACE`` or ``RENAME_EXCHANGE``."""
    check_name(src)
    check_name(dst)
    if not flags:
        os.rename(src, dst, src_dir_fd=src_fd, dst_dir_fd=dst_fd)
    elif _libc.renameat2(src_fd, src, dst_fd, dst, ctypes.c_uint(flags)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
