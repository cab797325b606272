"""The operations, called as the kernel calls them but without a kernel.

`Client` walks paths by lookups, keeps the lookup counts, and turns `pyfuse3.FUSEError` back into
`OSError`.  Paths are relative to the view: ``"home/.bashrc"``.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Coroutine, Iterable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest.mock import patch

import pyfuse3
import trio

from fusefs.events import Event
from fusefs.lanes import Lane
from fusefs.mounts import Mounts
from fusefs.operations import Operations
from fusefs.rules import Rule, Rules
from fusefs.slow import Slow
from fusefs.view import Budget, ViewSettings
from tests.support.layouts import RULES, Layout

T = TypeVar("T")
CONTEXT: Any = SimpleNamespace(pid=4711, uid=os.getuid(), gid=os.getgid(), umask=0o022)
_FIELDS = ("atime", "mtime", "ctime", "mode", "uid", "gid", "size")


def _opened_slowly(mounts: Mounts, fd: int) -> int:
    calls = mounts._calls
    assert calls is not None
    return Slow(fd, Lane(calls))


def _run_in_trio(handler: Coroutine[Any, Any, T]) -> T:
    async def answer() -> T:
        return await handler

    try:
        return trio.run(answer)
    except pyfuse3.FUSEError as error:
        raise OSError(error.errno, os.strerror(error.errno)) from None


class Client:
    """A view of ``layout`` and the calls on it."""

    def __init__(
        self,
        layout: Layout,
        rules: Iterable[Rule] = RULES,
        *,
        never: Iterable[Path] | None = None,
        trace: bool = False,
        budget: Budget | None = None,
        slow: bool = False,
    ) -> None:
        """``slow``: home and store are on a file system whose calls are made by threads."""
        self._slow = slow
        self.events: list[Event] = []
        settings = ViewSettings(
            home=os.fsencode(layout.host),
            store=os.fsencode(layout.store),
            rules=Rules(rules),
            never=tuple(map(os.fsencode, layout.never if never is None else never)),
        )
        with patch.object(Mounts, "opened", _opened_slowly) if slow else nullcontext():
            self.operations = Operations(settings, self.events.append, trace=trace, budget=budget)
        self.lookups: dict[int, int] = {}

    def run(self, handler: Coroutine[Any, Any, T]) -> T:
        """The answer of a handler, none of which awaits but fsync, unless all is slow."""
        if self._slow:
            return _run_in_trio(handler)
        try:
            handler.send(None)
        except StopIteration as done:
            value: T = done.value
            return value
        except pyfuse3.FUSEError as error:
            raise OSError(error.errno, os.strerror(error.errno)) from None
        raise AssertionError("the handler waited for something")

    # -- names -----------------------------------------------------------------------------

    def lookup(self, parent: int, name: bytes) -> pyfuse3.EntryAttributes:
        """One lookup; ENOENT for a negative entry."""
        entry = self.run(self.operations.lookup(parent, name, CONTEXT))
        if entry.st_ino == 0:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self._counted(entry)

    def inode(self, path: str | bytes) -> int:
        """The inode at ``path``, every component looked up."""
        number = pyfuse3.ROOT_INODE
        for name in os.fsencode(path).split(b"/"):
            if name:
                number = self.lookup(number, name).st_ino
        return number

    def stat(self, path: str | bytes) -> pyfuse3.EntryAttributes:
        """Look ``path`` up and ask for its attributes."""
        return self.run(self.operations.getattr(self.inode(path), CONTEXT))

    def exists(self, path: str | bytes) -> bool:
        """Whether ``path`` can be looked up."""
        try:
            self.inode(path)
        except FileNotFoundError:
            return False
        return True

    def names(self, path: str | bytes) -> set[str]:
        """The names in a directory, as one reading of it gives them."""
        return self.names_of(self.inode(path))

    def names_of(self, inode: int) -> set[str]:
        """The same of a directory by its inode."""
        entries: dict[str, pyfuse3.EntryAttributes] = {}

        def reply(token: object, name: bytes, entry: pyfuse3.EntryAttributes, next_id: int) -> bool:
            assert os.fsdecode(name) not in entries
            entries[os.fsdecode(name)] = entry
            return True

        handle = self.run(self.operations.opendir(inode, CONTEXT))
        # A token exists only within a request of the kernel; on a mount the real one is tested.
        with patch.object(pyfuse3, "readdir_reply", reply):
            token: Any = SimpleNamespace()
            self.run(self.operations.readdir(handle, 0, token))
        self.run(self.operations.releasedir(handle))
        assert {".", ".."} <= set(entries)
        for name, entry in entries.items():
            if name not in (".", ".."):
                self._counted(entry)
        return set(entries) - {".", ".."}

    def mkdir(self, path: str, mode: int = 0o755) -> int:
        """Make a directory; returns its inode."""
        parent, name = self._split(path)
        return self._counted(
            self.run(self.operations.mkdir(parent, name, mode | stat.S_IFDIR, CONTEXT))
        ).st_ino

    def mknod(self, path: str, mode: int) -> int:
        """Make a special file; returns its inode."""
        parent, name = self._split(path)
        return self._counted(self.run(self.operations.mknod(parent, name, mode, 0, CONTEXT))).st_ino

    def symlink(self, target: str, path: str) -> int:
        """Make a symlink; returns its inode."""
        parent, name = self._split(path)
        handler = self.operations.symlink(parent, name, os.fsencode(target), CONTEXT)
        return self._counted(self.run(handler)).st_ino

    def link(self, source: str, path: str) -> int:
        """Make a hard link; returns its inode."""
        inode = self.inode(source)
        parent, name = self._split(path)
        return self._counted(self.run(self.operations.link(inode, parent, name, CONTEXT))).st_ino

    def unlink(self, path: str) -> None:
        """Remove a file."""
        parent, name = self._split(path)
        self.run(self.operations.unlink(parent, name, CONTEXT))

    def rmdir(self, path: str) -> None:
        """Remove a directory."""
        parent, name = self._split(path)
        self.run(self.operations.rmdir(parent, name, CONTEXT))

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        """Rename, with the flags of renameat2(2)."""
        old_parent, old_name = self._split(old)
        new_parent, new_name = self._split(new)
        self.run(self.operations.rename(old_parent, old_name, new_parent, new_name, flags, CONTEXT))

    def readlink(self, path: str) -> str:
        """The text of a symlink."""
        return os.fsdecode(self.run(self.operations.readlink(self.inode(path), CONTEXT)))

    def forget_all(self) -> None:
        """What the kernel does under memory pressure."""
        counts, self.lookups = list(self.lookups.items()), {}
        self.run(self.operations.forget(counts))

    # -- files -----------------------------------------------------------------------------

    def open(self, path: str, flags: int = os.O_RDONLY) -> int:
        """Open a file; returns the handle."""
        return self.run(self.operations.open(self.inode(path), flags, CONTEXT)).fh

    def create(self, path: str, mode: int = 0o644, flags: int = os.O_RDWR) -> int:
        """Create a file; returns the handle."""
        parent, name = self._split(path)
        flags |= os.O_CREAT
        handler = self.operations.create(parent, name, mode | stat.S_IFREG, flags, CONTEXT)
        info, entry = self.run(handler)
        self._counted(entry)
        return info.fh

    def release(self, handle: int) -> None:
        """Close a handle."""
        self.run(self.operations.release(handle))

    def read(self, path: str) -> str:
        """The content of a file."""
        handle = self.open(path)
        try:
            return self.run(self.operations.read(handle, 0, 1 << 20)).decode()
        finally:
            self.release(handle)

    def write(self, path: str, text: str) -> None:
        """Create a file, or overwrite it, with ``text``."""
        try:
            handle = self.open(path, os.O_WRONLY | os.O_TRUNC)
        except FileNotFoundError:
            handle = self.create(path)
        try:
            self.run(self.operations.write(handle, 0, text.encode()))
        finally:
            self.release(handle)

    def set(self, path: str, *, fh: int | None = None, **changes: int) -> pyfuse3.EntryAttributes:
        """setattr: ``mode``, ``size``, ``uid``, ``gid``, ``atime_ns``, ``mtime_ns``."""
        attributes = pyfuse3.EntryAttributes()
        fields = dict.fromkeys((f"update_{field}" for field in _FIELDS), False)
        for key, value in changes.items():
            setattr(attributes, f"st_{key}", value)
            fields[f"update_{key.removesuffix('_ns')}"] = True
        wanted: Any = SimpleNamespace(**fields)
        handler = self.operations.setattr(self.inode(path), attributes, wanted, fh, CONTEXT)
        return self.run(handler)

    def _split(self, path: str) -> tuple[int, bytes]:
        parent, name = os.path.split(os.fsencode(path))
        return self.inode(parent), name

    def _counted(self, entry: pyfuse3.EntryAttributes) -> pyfuse3.EntryAttributes:
        self.lookups[entry.st_ino] = self.lookups.get(entry.st_ino, 0) + 1
        return entry
