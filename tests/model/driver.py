"""What a machine asks a view for, and the view without a kernel: the operations called directly."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Coroutine, Iterable
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol, TypeVar

import pyfuse3
import trio

from fusefs.rules import Rule, Rules
from fusefs.view import Budget
from tests.model.changes import NOREPLACE
from tests.model.disk import Path
from tests.support.clients import CONTEXT, Client
from tests.support.layouts import Layout

T = TypeVar("T")
_FIELDS = ("atime", "mtime", "ctime", "mode", "uid", "gid", "size")


class Facts(NamedTuple):
    """What stat(2) says, as far as it is compared."""

    kind: int
    mode: int
    size: int
    links: int
    mtime_ns: int


def held(token: int) -> bytes:
    """The name that stands for a directory held, at the beginning of a path."""
    return b"\0held %d" % token


class Driver(Protocol):
    """The operations on a home, paths from it on; failures are `OSError`."""

    def close(self) -> None:
        """End the view."""

    def set_rules(self, rules: Iterable[Rule]) -> None:
        """Let these rules hold from now on."""

    def forget(self) -> None:
        """Forget what is remembered of names, as far as that can be asked for."""

    def hold(self, path: Path) -> int:
        """Hold on to a directory; paths may begin with its `held` from now on."""

    def let_go(self) -> None:
        """Hold on to nothing."""

    def stat(self, path: Path) -> Facts: ...
    def names(self, path: Path) -> set[bytes]: ...
    def readlink(self, path: Path) -> bytes: ...
    def statfs(self) -> tuple[int, ...]: ...
    def mkdir(self, path: Path, mode: int) -> None: ...
    def mknod(self, path: Path, kind: int, mode: int) -> None: ...
    def symlink(self, text: bytes, path: Path) -> None: ...
    def link(self, source: Path, path: Path) -> None: ...
    def unlink(self, path: Path) -> None: ...
    def rmdir(self, path: Path) -> None: ...
    def rename(self, old: Path, new: Path, flags: int) -> None: ...
    def chmod(self, path: Path, mode: int) -> None: ...
    def chown(self, path: Path, uid: int, gid: int) -> None: ...
    def utime(self, path: Path, atime_ns: int, mtime_ns: int) -> None: ...
    def truncate(self, path: Path, size: int) -> None: ...
    def getxattr(self, path: Path, name: bytes) -> bytes: ...
    def listxattr(self, path: Path) -> set[bytes]: ...
    def setxattr(self, path: Path, name: bytes, value: bytes, flags: int) -> None: ...
    def removexattr(self, path: Path, name: bytes) -> None: ...
    def create(self, path: Path, mode: int) -> int: ...
    def open(self, path: Path, flags: int) -> int: ...
    def read(self, handle: int, offset: int, size: int) -> bytes: ...
    def write(self, handle: int, offset: int, data: bytes) -> None: ...
    def resize(self, handle: int, size: int) -> None: ...
    def fstat(self, handle: int) -> Facts: ...
    def sync(self, handle: int) -> None: ...
    def release(self, handle: int) -> None: ...


def facts(st: os.stat_result | pyfuse3.EntryAttributes) -> Facts:
    """Of the host's or the view's answer."""
    kind, mode = stat.S_IFMT(st.st_mode), stat.S_IMODE(st.st_mode)
    return Facts(kind, mode, st.st_size, st.st_nlink, st.st_mtime_ns)


class InProcess:
    """The operations called as the kernel would call them: each name looked up before it is used.

    ``inodes`` is the number of those that may keep a descriptor.
    """

    def __init__(self, layout: Layout, rules: Iterable[Rule], inodes: int) -> None:
        budget = Budget(inodes=inodes, files=64, directories=64)
        self._client = Client(layout, rules, budget=budget)
        self._operations = self._client.operations
        self._never = tuple(map(os.fsencode, layout.never))
        self._inodes: dict[int, int] = {}
        self._held: dict[bytes, int] = {}

    def close(self) -> None:
        """End the view, which must remember no more than its own roots by then."""
        for handle in list(self._inodes):
            self.release(handle)
        self.let_go()
        self._client.forget_all()
        remembered = len(self._operations._table)
        self._operations.close()
        assert remembered == 3, f"{remembered} inodes are left"

    def set_rules(self, rules: Iterable[Rule]) -> None:
        self._operations.replace_rules(Rules(rules), self._never)

    def forget(self) -> None:
        kept = set(self._held.values())
        counts = self._client.lookups
        self._client.lookups = {number: counts[number] for number in kept}
        forgotten = [(number, count) for number, count in counts.items() if number not in kept]
        self._run(self._operations.forget(forgotten))

    def hold(self, path: Path) -> int:
        token = len(self._held)
        self._held[held(token)] = self._inode(path)
        return token

    def let_go(self) -> None:
        self._held.clear()

    # -- names -----------------------------------------------------------------------------

    def stat(self, path: Path) -> Facts:
        return facts(self._run(self._operations.getattr(self._inode(path), CONTEXT)))

    def names(self, path: Path) -> set[bytes]:
        return {os.fsencode(name) for name in self._client.names_of(self._inode(path))}

    def readlink(self, path: Path) -> bytes:
        return self._run(self._operations.readlink(self._inode(path), CONTEXT))

    def statfs(self) -> tuple[int, ...]:
        found = self._run(self._operations.statfs(CONTEXT))
        return found.f_bsize, found.f_blocks, found.f_namemax

    def mkdir(self, path: Path, mode: int) -> None:
        parent, name = self._parent(path)
        self._made(self._operations.mkdir(parent, name, mode | stat.S_IFDIR, CONTEXT))

    def mknod(self, path: Path, kind: int, mode: int) -> None:
        parent, name = self._parent(path)
        self._made(self._operations.mknod(parent, name, kind | mode, 0, CONTEXT))

    def symlink(self, text: bytes, path: Path) -> None:
        parent, name = self._parent(path)
        self._made(self._operations.symlink(parent, name, text, CONTEXT))

    def link(self, source: Path, path: Path) -> None:
        inode = self._inode(source)
        parent, name = self._parent(path)
        if stat.S_ISDIR(self._run(self._operations.getattr(inode, CONTEXT)).st_mode):
            raise _error(errno.EPERM)  # vfs_link() in fs/namei.c
        self._made(self._operations.link(inode, parent, name, CONTEXT))

    def unlink(self, path: Path) -> None:
        parent, name = self._existing(path)
        self._run(self._operations.unlink(parent, name, CONTEXT))

    def rmdir(self, path: Path) -> None:
        parent, name = self._existing(path)
        self._run(self._operations.rmdir(parent, name, CONTEXT))

    def rename(self, old: Path, new: Path, flags: int) -> None:
        source, destination = self._existing(old), self._parent(new)
        if not flags & NOREPLACE and self._is_same(source, destination):
            return  # vfs_rename() in fs/namei.c
        self._run(self._operations.rename(*source, *destination, flags, CONTEXT))

    # -- attributes ------------------------------------------------------------------------

    def chmod(self, path: Path, mode: int) -> None:
        self._set(path, mode=mode)

    def chown(self, path: Path, uid: int, gid: int) -> None:
        self._set(path, uid=uid, gid=gid)

    def utime(self, path: Path, atime_ns: int, mtime_ns: int) -> None:
        self._set(path, atime_ns=atime_ns, mtime_ns=mtime_ns)

    def truncate(self, path: Path, size: int) -> None:
        self._set(path, size=size)

    def getxattr(self, path: Path, name: bytes) -> bytes:
        return self._run(self._operations.getxattr(self._inode(path), name, CONTEXT))

    def listxattr(self, path: Path) -> set[bytes]:
        return set(self._run(self._operations.listxattr(self._inode(path), CONTEXT)))

    def setxattr(self, path: Path, name: bytes, value: bytes, flags: int) -> None:
        inode = self._inode(path)
        if flags:  # pyfuse3 asks first, as there is no place for flags in the handler
            try:
                self._run(self._operations.getxattr(inode, name, CONTEXT))
            except OSError as error:
                if flags == os.XATTR_REPLACE or error.errno != errno.ENODATA:
                    raise
            else:
                if flags == os.XATTR_CREATE:
                    raise _error(errno.EEXIST)
        self._run(self._operations.setxattr(inode, name, value, CONTEXT))

    def removexattr(self, path: Path, name: bytes) -> None:
        self._run(self._operations.removexattr(self._inode(path), name, CONTEXT))

    # -- files -----------------------------------------------------------------------------

    def create(self, path: Path, mode: int) -> int:
        parent, name = self._parent(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        handler = self._operations.create(parent, name, mode | stat.S_IFREG, flags, CONTEXT)
        info, entry = self._run(handler)
        return self._opened(info.fh, self._counted(entry))

    def open(self, path: Path, flags: int) -> int:
        inode = self._inode(path)
        kind = stat.S_IFMT(self._run(self._operations.getattr(inode, CONTEXT)).st_mode)
        if kind == stat.S_IFLNK:
            raise _error(errno.ELOOP)  # O_NOFOLLOW is the kernel's to answer
        if kind == stat.S_IFDIR:
            raise _error(errno.EISDIR)
        return self._opened(self._run(self._operations.open(inode, flags, CONTEXT)).fh, inode)

    def read(self, handle: int, offset: int, size: int) -> bytes:
        return self._run(self._operations.read(handle, offset, size))

    def write(self, handle: int, offset: int, data: bytes) -> None:
        assert self._run(self._operations.write(handle, offset, data)) == len(data)

    def resize(self, handle: int, size: int) -> None:
        self._change(self._inodes[handle], handle, size=size)

    def fstat(self, handle: int) -> Facts:
        return facts(self._run(self._operations.getattr(self._inodes[handle], CONTEXT)))

    def sync(self, handle: int) -> None:
        try:
            trio.run(self._operations.fsync, handle, False)
        except pyfuse3.FUSEError as error:
            raise OSError(error.errno, os.strerror(error.errno)) from None

    def release(self, handle: int) -> None:
        try:
            self._run(self._operations.flush(handle))
        except OSError as error:
            if error.errno != errno.ENOSYS:  # for the kernel that is success
                raise
        self._run(self._operations.release(handle))
        del self._inodes[handle]

    def _opened(self, handle: int, inode: int) -> int:
        self._inodes[handle] = inode
        return handle

    # -- the kernel's part -----------------------------------------------------------------

    def _run(self, handler: Coroutine[Any, Any, T]) -> T:
        return self._client.run(handler)

    def _made(self, handler: Coroutine[Any, Any, pyfuse3.EntryAttributes]) -> None:
        self._counted(self._run(handler))

    def _counted(self, entry: pyfuse3.EntryAttributes) -> int:
        """The number of what was made or found, one lookup more of which is remembered."""
        number: int = entry.st_ino
        self._client.lookups[number] = self._client.lookups.get(number, 0) + 1
        return number

    def _inode(self, path: Path) -> int:
        if path[:1] and path[0] in self._held:
            number = self._held[path[0]]
            for name in path[1:]:
                number = self._client.lookup(number, name).st_ino
            return number
        return self._client.inode(b"/".join((b"home", *path)))

    def _parent(self, path: Path) -> tuple[int, bytes]:
        """The parent's inode and the name, which is looked up before it is made."""
        with contextlib.suppress(FileNotFoundError):
            return self._existing(path)
        return self._inode(path[:-1]), path[-1]

    def _existing(self, path: Path) -> tuple[int, bytes]:
        parent = self._inode(path[:-1])
        self._client.lookup(parent, path[-1])
        return parent, path[-1]

    def _is_same(self, one: tuple[int, bytes], other: tuple[int, bytes]) -> bool:
        """Whether two names, of which the second may be free, are of one inode."""
        with contextlib.suppress(FileNotFoundError):
            numbers = {self._client.lookup(*place).st_ino for place in (one, other)}
            return len(numbers) == 1
        return False

    def _set(self, path: Path, **values: int) -> None:
        self._change(self._inode(path), None, **values)

    def _change(self, inode: int, handle: int | None, **values: int) -> None:
        attributes = pyfuse3.EntryAttributes()
        fields = dict.fromkeys((f"update_{field}" for field in _FIELDS), False)
        for key, value in values.items():
            setattr(attributes, f"st_{key}", value)
            fields[f"update_{key.removesuffix('_ns')}"] = True
        wanted: Any = SimpleNamespace(**fields)
        self._run(self._operations.setattr(inode, attributes, wanted, handle, CONTEXT))


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
