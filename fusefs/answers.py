"""The boundary around every request: errors become errnos, verdicts become events."""

from __future__ import annotations

import errno
import logging
import os
from types import TracebackType

import pyfuse3

from fusefs.events import Event, Observer, Refused, Verdict
from fusefs.nodes import Node, NodeTable, path_of
from fusefs.tree import Attributes

ENTRY_SECONDS = 0.9
"""How long the kernel may trust a name or attributes: the host changes them behind its back, and
what it changes is to be seen within a second."""

log = logging.getLogger("fusefs")

_OWNER, _GROUP = os.getuid(), os.getgid()


class Request:
    """One request, as a context manager; within it only the models run.

    ``creates`` says that success makes a name, in the store if the tree redirects.
    """

    __slots__ = ("_creates", "_name", "_node", "_operation", "_pid", "_requests")

    def __init__(
        self,
        requests: Requests,
        operation: str,
        pid: int,
        node: Node | None,
        name: bytes | None,
        creates: bool,
    ) -> None:
        self._requests = requests
        self._operation = operation
        self._pid = pid
        self._node = node
        self._name = name
        self._creates = creates

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        number = self._errno(error)
        try:
            self._report(error, number)
        except Exception:
            log.exception("reporting %s failed", self._operation)
        self._requests.table.descriptors.trim()
        if number is not None:
            raise pyfuse3.FUSEError(number) from error

    def _errno(self, error: BaseException | None) -> int | None:
        if error is None:
            return None
        if isinstance(error, OSError):
            return error.errno or errno.EIO
        if isinstance(error, Exception):
            log.error("%s failed", self._operation, exc_info=error)
            return errno.EIO
        return None  # KeyboardInterrupt, cancellation: not ours to swallow

    def _report(self, error: BaseException | None, number: int | None) -> None:
        node = self._node
        if node is None:
            return
        redirected = self._creates and error is None and node.tree.redirects
        if isinstance(error, Refused):
            verdict, exists = error.verdict, error.exists
        elif redirected:
            verdict = Verdict.REDIRECTED
            exists = self._name is not None and node.tree.exists_on_host(node, self._name)
        elif self._requests.trace:
            verdict, exists = Verdict.ALLOWED, number is None
        else:
            return
        path = error.path if isinstance(error, Refused) else None
        path = path or path_of(node, self._name)
        self._requests.observer(Event(self._operation, path, verdict, self._pid, number, exists))


class Requests:
    """Makes requests that know the table and the observer."""

    def __init__(self, table: NodeTable, observer: Observer, trace: bool) -> None:
        self.table = table
        self.observer = observer
        self.trace = trace

    def __call__(
        self,
        operation: str,
        pid: int,
        node: Node | None,
        name: bytes | None = None,
        *,
        creates: bool = False,
    ) -> Request:
        """A request about ``node``, or about ``name`` in it."""
        return Request(self, operation, pid, node, name, creates)


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


def no_entry() -> pyfuse3.EntryAttributes:
    """A negative answer that the kernel may remember for a moment."""
    answer = pyfuse3.EntryAttributes()
    answer.st_ino = pyfuse3.InodeT(0)
    answer.entry_timeout = ENTRY_SECONDS
    return answer


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
