"""The only way to the host's files: one name at a time, from a descriptor, following nothing.

A descriptor made here is ``O_PATH|O_NOFOLLOW``: it pins one inode, whatever its type, and has no
side effects.  What can be written to can be swapped for a symlink or a fifo at any moment, so
a path of more than one component is never given to the kernel, and nothing is opened for I/O but
through `reopen`, which looks at the type of the inode already pinned.

Each call takes a descriptor first.  If that is `fusefs.slow.Slow`, a thread makes the call.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import stat
from collections.abc import Callable
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from fusefs.slow import Opens, Primitive, Slow

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2

_PATH_FLAGS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
# What a caller's open(2) flags may ask of our own descriptor.  Not O_APPEND: the kernel sends the
# offset of each write.  Not O_NOFOLLOW: it would refuse the magic link.  Not O_DIRECT: it asks
# for alignment that requests do not have.
_IO_FLAGS = os.O_ACCMODE | os.O_TRUNC | os.O_SYNC | os.O_DSYNC
_NAME_MAX = 255

_libc = ctypes.CDLL(None, use_errno=True)

Rest = ParamSpec("Rest")
Result = TypeVar("Result")


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


def _primitive(
    *, changes: bool = False, opens: Opens = Opens.NOTHING
) -> Callable[[Callable[Concatenate[int, Rest], Result]], Callable[Concatenate[int, Rest], Result]]:
    """A call on one descriptor, made here and now unless that is `Slow`."""

    def decorate(
        function: Callable[Concatenate[int, Rest], Result],
    ) -> Callable[Concatenate[int, Rest], Result]:
        primitive = Primitive(function, changes, opens)

        @functools.wraps(function)
        def call(fd: int, /, *args: Rest.args, **kwargs: Rest.kwargs) -> Result:
            if type(fd) is not Slow:
                return function(fd, *args, **kwargs)
            result: Result = fd.lane.ask(primitive, fd, *args, *kwargs.values())
            return result

        return call

    return decorate


# -- names -------------------------------------------------------------------------------------


@_primitive(opens=Opens.PATH)
def pin(dir_fd: int, name: bytes) -> tuple[int, os.stat_result]:
    """Pin the inode at ``name``, a symlink itself included; its descriptor and attributes."""
    check_name(name)
    return _with_stat(os.open(name, _PATH_FLAGS, dir_fd=dir_fd))


@_primitive(opens=Opens.PATH)
def pin_parent(dir_fd: int) -> tuple[int, os.stat_result]:
    """Pin the directory above ``dir_fd``."""
    return _with_stat(os.open(b"..", _PATH_FLAGS | os.O_DIRECTORY, dir_fd=dir_fd))


def pin_open(fd: int) -> int:
    """Pin the inode that ``fd``, open for I/O, is of, without a look at its file system."""
    pinned = os.open(magic_link(fd), os.O_PATH | os.O_CLOEXEC)
    return Slow(pinned, fd.lane) if type(fd) is Slow else pinned


def pin_root(path: bytes) -> tuple[int, os.stat_result]:
    """Pin the directory at ``path``, which the caller chose: symlinks are followed."""
    return _with_stat(os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))


def _with_stat(fd: int) -> tuple[int, os.stat_result]:
    try:
        return fd, os.fstat(fd)
    except BaseException:
        os.close(fd)
        raise


@_primitive()
def lstat(dir_fd: int, name: bytes) -> os.stat_result | None:
    """The attributes of ``name``, or ``None`` when there is no such name."""
    check_name(name)
    try:
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


@_primitive()
def list_names(fd: int) -> list[bytes]:
    """The names in the directory that ``fd`` pins."""
    listing = _open_directory(fd)
    try:
        return [os.fsencode(name) for name in os.listdir(listing)]
    finally:
        os.close(listing)


def _open_directory(fd: int) -> int:
    # Not "." below it: that would be a search, and mode 0600 allows to read the names only.
    return os.open(magic_link(fd), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


# -- inodes ------------------------------------------------------------------------------------


@_primitive()
def fstat(fd: int) -> os.stat_result:
    """The attributes of what ``fd`` pins."""
    return os.fstat(fd)


@_primitive()
def statvfs(fd: int) -> os.statvfs_result:
    """How full the file system is."""
    return os.fstatvfs(fd)


@_primitive()
def read_link(fd: int) -> bytes:
    """The text of the symlink that ``fd`` pins (readlinkat(2) with an empty path)."""
    return os.readlink(b"", dir_fd=fd)


@_primitive()
def access(fd: int, mode: int) -> bool:
    """access(2) of what ``fd`` pins."""
    return os.access(magic_link(fd), mode)


@_primitive()
def getxattr(fd: int, name: bytes) -> bytes:
    """An extended attribute of what ``fd`` pins."""
    return os.getxattr(magic_link(fd), name)


@_primitive()
def listxattr(fd: int) -> list[bytes]:
    """The names of the extended attributes of what ``fd`` pins."""
    return [os.fsencode(name) for name in os.listxattr(magic_link(fd))]


@_primitive(changes=True)
def setxattr(fd: int, name: bytes, value: bytes) -> None:
    """Set an extended attribute of what ``fd`` pins."""
    os.setxattr(magic_link(fd), name, value)


@_primitive(changes=True)
def removexattr(fd: int, name: bytes) -> None:
    """Remove an extended attribute of what ``fd`` pins."""
    os.removexattr(magic_link(fd), name)


@_primitive(changes=True)
def chmod(fd: int, mode: int) -> None:
    """Change the mode of what ``fd`` pins."""
    os.chmod(magic_link(fd), mode)


@_primitive(changes=True)
def utime(fd: int, atime_ns: int, mtime_ns: int) -> None:
    """Change the times of what ``fd`` pins."""
    os.utime(magic_link(fd), ns=(atime_ns, mtime_ns))


@_primitive(changes=True)
def truncate(fd: int, size: int) -> None:
    """Change the size of the file that ``fd`` pins."""
    os.truncate(magic_link(fd), size)


@_primitive(changes=True)
def truncate_open(fd: int, size: int) -> None:
    """Change the size of a file opened for writing, whatever its mode is by now."""
    os.ftruncate(fd, size)


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


# -- opening -----------------------------------------------------------------------------------


@_primitive(opens=Opens.FILE)
def reopen(fd: int, flags: int) -> tuple[int, os.stat_result]:
    """Open the inode that ``fd`` pins for I/O: the one gate; the new descriptor and attributes.

    Regular files only: a fifo would block, a device would act, a socket cannot be opened.  Others
    raise EACCES, a directory EISDIR.
    """
    kind = stat.S_IFMT(os.fstat(fd).st_mode)
    if kind != stat.S_IFREG:
        number = errno.EISDIR if kind == stat.S_IFDIR else errno.EACCES
        raise OSError(number, os.strerror(number))
    wanted = flags & _IO_FLAGS | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    return _with_stat(os.open(magic_link(fd), wanted))


@_primitive(changes=True, opens=Opens.FILE)
def create(dir_fd: int, name: bytes, mode: int, flags: int) -> tuple[int, os.stat_result]:
    """Create a regular file that was not there, with exactly ``mode``, opened with ``flags``."""
    check_name(name)
    wanted = flags & _IO_FLAGS | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, wanted, mode & 0o777, dir_fd=dir_fd)
    try:
        found = os.fstat(fd)
        # The kernel applied the caller's umask already; ours must not count.
        if stat.S_IMODE(found.st_mode) != mode:
            os.fchmod(fd, mode)
            found = os.fstat(fd)
        return fd, found
    except BaseException:
        os.close(fd)
        raise


# -- making and removing -----------------------------------------------------------------------


@_primitive(changes=True)
def mkdir(dir_fd: int, name: bytes, mode: int) -> None:
    """Make a directory."""
    check_name(name)
    os.mkdir(name, mode, dir_fd=dir_fd)


@_primitive(changes=True)
def mknod(dir_fd: int, name: bytes, mode: int) -> None:
    """Make a fifo or a socket."""
    check_name(name)
    os.mknod(name, mode, dir_fd=dir_fd)


@_primitive(changes=True)
def symlink(dir_fd: int, name: bytes, target: bytes) -> None:
    """Make a symlink."""
    check_name(name)
    os.symlink(target, name, dir_fd=dir_fd)


@_primitive(changes=True)
def unlink(dir_fd: int, name: bytes) -> None:
    """Remove a name that is not a directory."""
    check_name(name)
    os.unlink(name, dir_fd=dir_fd)


@_primitive(changes=True)
def rmdir(dir_fd: int, name: bytes) -> None:
    """Remove an empty directory."""
    check_name(name)
    os.rmdir(name, dir_fd=dir_fd)


@_primitive(changes=True)
def link(dir_fd: int, name: bytes, fd: int) -> None:
    """Link the inode that ``fd`` pins as ``name``; both are of the store."""
    check_name(name)
    os.link(magic_link(fd), name, dst_dir_fd=dir_fd, follow_symlinks=True)


@_primitive(changes=True)
def rename(src_fd: int, src: bytes, dst_fd: int, dst: bytes, flags: int) -> None:
    """renameat2(2) with ``RENAME_NOREPLACE`` or ``RENAME_EXCHANGE``; both are of the store."""
    check_name(src)
    check_name(dst)
    if not flags:
        os.rename(src, dst, src_dir_fd=src_fd, dst_dir_fd=dst_fd)
    elif _libc.renameat2(src_fd, src, dst_fd, dst, ctypes.c_uint(flags)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


# -- data --------------------------------------------------------------------------------------


@_primitive()
def read(fd: int, size: int, offset: int) -> bytes:
    """pread(2)."""
    return os.pread(fd, size, offset)


@_primitive(changes=True)
def write(fd: int, data: bytes, offset: int) -> int:
    """pwrite(2) of all ``data``: the kernel would take a short write for a full disk."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, offset)
        rest = rest[written:]
        offset += written
    return len(data)


@_primitive()
def flush(fd: int) -> None:
    """close(2) of a duplicate, where a network file system reports what a write hid."""
    os.close(os.dup(fd))


@_primitive(changes=True)
def sync(fd: int, datasync: bool) -> None:
    """fsync(2) of an open file, or fdatasync(2)."""
    (os.fdatasync if datasync else os.fsync)(fd)


@_primitive(changes=True)
def sync_directory(fd: int) -> None:
    """fsync(2) of the directory that ``fd`` pins."""
    opened = _open_directory(fd)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
