"""Open files and directories, by the number that the kernel hands back."""

from __future__ import annotations

import errno
import itertools
import os
from dataclasses import dataclass
from typing import Generic, TypeVar

from fusefs.nodes import Node
from fusefs.slow import close_opened


@dataclass(slots=True)
class FileHandle:
    """One open file: ``fd`` is its own, with its own access mode; ``pid`` opened it."""

    node: Node
    pid: int
    fd: int


@dataclass(slots=True)
class DirHandle:
    """One open directory; ``pid`` opened it."""

    node: Node
    pid: int


Handle = TypeVar("Handle", FileHandle, DirHandle)


class Handles(Generic[Handle]):
    """A table of handles; opening more than ``limit`` is ENFILE."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._handles: dict[int, Handle] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._handles)

    def __getitem__(self, number: int) -> Handle:
        """The handle with that number; raises EBADF."""
        handle = self._handles.get(number)
        if handle is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return handle

    def check_room(self) -> None:
        """Raise ENFILE if there is no room for one more."""
        if len(self._handles) >= self._limit:
            raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    def add(self, handle: Handle) -> int:
        """Enter ``handle``; returns its number."""
        number = next(self._numbers)
        self._handles[number] = handle
        return number

    def remove(self, number: int) -> Handle:
        """Take the handle out; raises EBADF."""
        handle = self[number]
        del self._handles[number]
        return handle

    def close_all(self) -> None:
        """Close the descriptors of files still open."""
        for handle in self._handles.values():
            if isinstance(handle, FileHandle):
                close_opened(handle.fd)
        self._handles.clear()
