"""The boundary around every request: errors become errnos, verdicts become events."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from typing import Protocol, TypeVar

import pyfuse3

from fusefs.events import Event, Observer, Refused, Verdict
from fusefs.lanes import Calls
from fusefs.nodes import Node, NodeTable, path_of
from fusefs.slow import Pending
from fusefs.tree import Attributes

ENTRY_SECONDS = 0.9
"""How long the kernel may trust a name or attributes: the host changes them behind its back, and
what it changes is to be seen within a second."""

log = logging.getLogger("fusefs")

Answer = TypeVar("Answer")
Found_co = TypeVar("Found_co", covariant=True)

_OWNER, _GROUP = os.getuid(), os.getgid()


class Requests:
    """Runs the work of requests at the boundary: errors become errnos, verdicts become events."""

    __slots__ = ("_calls", "_descriptors", "_observer", "_trace")

    def __init__(self, calls: Calls, table: NodeTable, observer: Observer, trace: bool) -> None:
        self._calls = calls
        self._descriptors = table.descriptors
        self._observer = observer
        self._trace = trace

    async def __call__(
        self,
        operation: str,
        pid: int,
        node: Node,
        work: Callable[[], Answer],
        name: bytes | None = None,
        *,
        part: bool = False,
    ) -> Answer:
        """The answer to a request about ``node``, or ``name`` in it, or to a ``part`` of one."""
        try:
            try:
                answer = work()
            except Pending as pending:
                answer = await self._calls.finish(work, pending)
        except Exception as error:
            raise self._failed(operation, pid, node, name, error) from error
        finally:
            self._descriptors.trim()
        if self._trace and not part:
            self._observe(operation, pid, node, name, Verdict.ALLOWED)
        return answer

    async def creating(
        self, operation: str, pid: int, parent: Node, name: bytes, work: Callable[[], Answer]
    ) -> Answer:
        """The answer to a request that makes ``name``, in the store if the tree redirects."""
        tree = parent.tree
        if not tree.redirects:
            return await self(operation, pid, parent, work, name)

        def look_and_work() -> tuple[Answer, bool]:
            exists = tree.exists_on_host(parent, name)
            return work(), exists

        try:
            try:
                answer, exists = look_and_work()
            except Pending as pending:
                answer, exists = await self._calls.finish(look_and_work, pending)
        except Exception as error:
            raise self._failed(operation, pid, parent, name, error) from error
        finally:
            self._descriptors.trim()
        self._observe(operation, pid, parent, name, Verdict.REDIRECTED, exists=exists)
        return answer

    def _failed(
        self, operation: str, pid: int, node: Node, name: bytes | None, error: Exception
    ) -> pyfuse3.FUSEError:
        """What the kernel is told instead of ``error``."""
        if isinstance(error, OSError):
            number = error.errno or errno.EIO
        else:
            log.error("%s failed", operation, exc_info=error)
            number = errno.EIO
        if isinstance(error, Refused):
            verdict, exists, path = error.verdict, error.exists, error.path
            self._observe(operation, pid, node, name, verdict, number, path, exists=exists)
        elif self._trace:
            self._observe(operation, pid, node, name, Verdict.ALLOWED, number, exists=False)
        return pyfuse3.FUSEError(number)

    def _observe(
        self,
        operation: str,
        pid: int,
        node: Node,
        name: bytes | None,
        verdict: Verdict,
        number: int | None = None,
        path: bytes | None = None,
        *,
        exists: bool = True,
    ) -> None:
        try:
            path = path or path_of(node, name)
            self._observer(Event(operation, path, verdict, pid, number, exists))
        except Exception:
            log.exception("reporting %s failed", operation)


class Table(Protocol[Found_co]):
    """What handlers find things in by number."""

    def __getitem__(self, number: int, /) -> Found_co:
        """Raises `OSError`."""


def find(table: Table[Found_co], number: int) -> Found_co:
    """What ``table`` has under ``number``, which the kernel sent."""
    try:
        return table[number]
    except OSError as error:
        raise pyfuse3.FUSEError(error.errno or errno.EIO) from error


def entry_attributes(node: Node, shown: Attributes) -> pyfuse3.EntryAttributes:
    """What the kernel is told about ``node``."""
    answer = pyfuse3.EntryAttributes()
    answer.st_ino = node.id
    answer.entry_timeout = answer.attr_timeout = ENTRY_SECONDS
    answer.st_mode = shown.mode
    answer.st_nlink = shown.nlink
    answer.st_uid = shown.uid
    # In a jail one group has a name, ours.  An inode of another nobody may write to, nor create a
    # name in a home of it (HAS_UNMAPPED_ID() in fs/namei.c).  The owner's rights are others.
    answer.st_gid = _GROUP if shown.uid == _OWNER else shown.gid
    answer.st_rdev = shown.rdev
    answer.st_size = shown.size
    answer.st_blocks = shown.blocks
    answer.st_atime_ns = shown.atime_ns
    answer.st_mtime_ns = shown.mtime_ns
    answer.st_ctime_ns = shown.ctime_ns
    return answer


def _no_entry() -> pyfuse3.EntryAttributes:
    answer = pyfuse3.EntryAttributes()
    answer.st_ino = pyfuse3.InodeT(0)
    answer.entry_timeout = ENTRY_SECONDS
    return answer


NO_ENTRY = _no_entry()
"""A negative answer that the kernel may remember for a moment."""


def statfs_answer(host: os.statvfs_result) -> pyfuse3.StatvfsData:
    """What statfs(2) says of the host's file system, as an answer."""
    answer = pyfuse3.StatvfsData()
    answer.f_bsize = host.f_bsize
    answer.f_frsize = host.f_frsize
    answer.f_blocks = host.f_blocks
    answer.f_bfree = host.f_bfree
    answer.f_bavail = host.f_bavail
    answer.f_files = host.f_files
    answer.f_ffree = host.f_ffree
    answer.f_favail = host.f_favail
    answer.f_namemax = host.f_namemax
    return answer
