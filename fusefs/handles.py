"""Open files and directories, by the number that the kernel hands back."""

from __future__ import annotations

import errno
import itertools
import os
from collections import OrderedDict
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


class Listings:
    """The names in open directories, each as they were when reading it last began at the start.

    A position in a listing is an index into that snapshot, so that names which come and go while a
    program reads neither repeat nor hide others.  More than ``limit`` names are not kept but for
    the listing read last: a directory of many can be opened thousands of times.  What was given up
    is listed anew when it is read on.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._listings: OrderedDict[int, list[bytes]] = OrderedDict()
        self._total = 0

    def keep(self, number: int, names: list[bytes]) -> None:
        """The listing of the open directory ``number`` from now on."""
        self.drop(number)
        self._listings[number] = names
        self._total += len(names)
        while self._total > self._limit and len(self._listings) > 1:
            self.drop(next(iter(self._listings)))

    def get(self, number: int) -> list[bytes] | None:
        """That listing, if it is still kept."""
        names = self._listings.get(number)
        if names is not None:
            self._listings.move_to_end(number)
        return names

    def drop(self, number: int) -> None:
        """The directory was closed."""
        self._total -= len(self._listings.pop(number, ()))


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
