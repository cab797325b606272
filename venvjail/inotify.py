"""Supervisor (host): hear what changes in directories, by inotify(7)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

from venvjail.layout import encode
from venvjail.native import call

IN_ATTRIB = 0x4
IN_CLOSE_WRITE = 0x8
IN_MOVED = 0xC0
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_MOVE_SELF = 0x800
IN_UNMOUNT = 0x2000
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
_IN_ONLYDIR = 0x01000000
_IN_DONT_FOLLOW = 0x02000000
_IN_EXCL_UNLINK = 0x04000000
IN_ISDIR = 0x40000000

#: What the names in a directory are, and what is written to the files there.
_FILES = IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED | IN_CREATE | IN_DELETE


class Event(NamedTuple):
    """What has happened in, or to, the directory of the watch ``watch``.

    ``mask`` is IN_*; ``name`` is empty where it is the directory's own event.
    """

    watch: int
    mask: int
    name: bytes


def watch_names(directory: str) -> int:
    """A non-blocking descriptor, readable when a name in ``directory`` changes."""
    fd = instance()
    try:
        add_watch(fd, directory)
    except OSError:
        os.close(fd)
        raise
    return fd


def instance() -> int:
    """A non-blocking descriptor without a watch; OSError where the user has too many."""
    return call("inotify_init1", os.O_CLOEXEC | os.O_NONBLOCK)


def add_watch(fd: int, directory: str, mask: int = _FILES) -> int:
    """Watch one more directory for ``mask``: names in it, and files that were written and closed.

    The number of the watch, the one that it has where the directory is watched already.
    """
    return call("inotify_add_watch", fd, encode(directory), mask | _IN_ONLYDIR)


def add_watch_itself(fd: int, directory: str, mask: int) -> int:
    """As `add_watch`, but no symlink is followed, and files without a name are left out."""
    return add_watch(fd, directory, mask | _IN_DONT_FOLLOW | _IN_EXCL_UNLINK)


def events(data: bytes) -> Iterator[Event]:
    """The events in what was read from a descriptor."""
    position = 0
    while position < len(data):
        # struct inotify_event: int wd; uint32_t mask, cookie, len; char name[len].
        watch = int.from_bytes(data[position : position + 4], sys.byteorder, signed=True)
        mask = int.from_bytes(data[position + 4 : position + 8], sys.byteorder)
        length = int.from_bytes(data[position + 12 : position + 16], sys.byteorder)
        position += 16
        yield Event(watch, mask, data[position : position + length].rstrip(b"\0"))
        position += length


def changed_names(data: bytes) -> list[bytes | None]:
    """The names in what was read from a descriptor; None: the kernel lost some."""
    return [None if event.mask & IN_Q_OVERFLOW else event.name for event in events(data)]
