"""Init (all of the jail's namespaces): see when a mount of the jail goes away.

A mount hangs on a name of the file system under it, and goes with it: when the host replaces what
is covered, but also when the kernel asks a network or FUSE file system whether the name is still
the same and gets an error for an answer (d_invalidate() in fs/dcache.c).  What was covered is then
open to all that runs in the jail: a guarded directory, or the home itself.
"""

from __future__ import annotations

import os
import re

_SIZE = 1 << 20


class MountTable:
    """The mounts of this namespace.  poll(2) tells of changes by POLLPRI; proc_pid_mounts(5)."""

    def __init__(self) -> None:
        self._fd = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._known = self._read()

    def fileno(self) -> int:
        """What to poll."""
        return self._fd

    def lost(self) -> list[bytes]:
        """The mount points of the mounts that have gone since the last call."""
        now = self._read()
        lost = [point for number, point in self._known.items() if number not in now]
        self._known = now
        return lost

    def _read(self) -> dict[bytes, bytes]:
        """Mount points by the mounts' numbers."""
        os.lseek(self._fd, 0, os.SEEK_SET)
        content = b""
        while piece := os.read(self._fd, _SIZE):
            content += piece
        return mount_points(content)


def mount_points(table: bytes) -> dict[bytes, bytes]:
    """The mount points in a table as proc_pid_mountinfo(5) has it, by the mounts' numbers."""
    words = (line.split(b" ") for line in table.splitlines())
    return {fields[0]: unescaped(fields[4]) for fields in words}


def unescaped(path: bytes) -> bytes:
    """A path as such a table has it, without the escapes for blanks and the like."""
    return re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), path)
