"""Moving data of open files, apart from the adapter's bookkeeping."""

from __future__ import annotations

import os

import trio


def write_all(fd: int, data: bytes, offset: int) -> int:
    """The kernel takes a short write for a full disk: write on until an error says so."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, offset)
        rest = rest[written:]
        offset += written
    return len(data)


async def sync(fd: int, datasync: bool) -> None:
    """Sync ``fd`` in a worker thread, as a disk may take seconds, and close it."""
    try:
        await trio.to_thread.run_sync(os.fdatasync if datasync else os.fsync, fd)
    finally:
        os.close(fd)
