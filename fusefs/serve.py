"""Mounting a view and serving it until it is unmounted or cancelled."""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable, Iterable

import pyfuse3
import trio

from fusefs.mounts import Mounts
from fusefs.operations import Operations
from fusefs.replacing import KernelEntry
from fusefs.turns import in_turn

_ADOPTED = "/dev/fd/"


async def serve(
    operations: Operations,
    mount: str,
    *,
    options: frozenset[str],
    ready: Callable[[], None] | None = None,
) -> None:
    """Serve ``operations`` at ``mount`` until it is unmounted; then close them.

    ``mount`` is a directory, for which libfuse runs fusermount3, or ``/dev/fd/N``: a descriptor of
    /dev/fuse already mounted, maybe in another mount namespace, and not ours to unmount.  Closing
    it, which happens here, ends the connection once no other process has it open.  ``ready`` is
    called when requests can be made.  One view at a time in a process: pyfuse3 has one session.

    Raises `RuntimeError` when the mount fails; libfuse has said why on stderr.  When cancelled it
    answers what it is working on, unmounts what it mounted and ends.
    """
    adopted = mount.startswith(_ADOPTED)
    if not adopted:
        operations.never_look_at(os.fsencode(mount))
    mounted = False
    try:
        with in_turn():
            pyfuse3.init(operations, mount, set(options))
            mounted = True
            _never_block_on_an_empty_queue()
            async with trio.open_nursery() as nursery:
                await nursery.start(_watch, operations.mounts)
                if ready is not None:
                    ready()
                await pyfuse3.main()
                nursery.cancel_scope.cancel()
    finally:
        if mounted:
            pyfuse3.close(unmount=not adopted)
        operations.close()


async def _watch(
    mounts: Mounts, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Let ``mounts`` look again whenever something is mounted or unmounted."""
    with open("/proc/self/mountinfo") as file, select.epoll() as events:
        # The file itself is always readable; a change is an exceptional condition.
        events.register(file.fileno(), select.EPOLLPRI | select.EPOLLET)
        task_status.started()
        while True:
            await trio.lowlevel.wait_readable(events.fileno())
            events.poll(0)
            mounts.refresh()


def _never_block_on_an_empty_queue() -> None:
    """Make the session's descriptor non-blocking.

    A request whose process is killed leaves the queue again: pyfuse3, told that there is one, would
    wait in read(2) for the next, and with it every task of this process.  See `fusefs.turns` for
    what becomes of the error instead.
    """
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the descriptor of this listing itself is gone
            if os.readlink(f"/proc/self/fd/{name}") == "/dev/fuse":
                os.set_blocking(int(name), False)


def forget_entries(entries: Iterable[KernelEntry]) -> None:
    """Make the kernel ask again for names that it remembers wrongly, soon after this returns.

    A thread of pyfuse3's tells it: the kernel waits for requests on the same directory, which only
    this thread can answer.  What is mounted on such a name is detached by the kernel
    (d_invalidate() in fs/dcache.c), in every namespace.
    """
    for parent, name in entries:
        pyfuse3.invalidate_entry_async(pyfuse3.InodeT(parent), name, ignore_enoent=True)
