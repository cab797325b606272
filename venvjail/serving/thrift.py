"""Supervisor (host's namespaces): give memory back when the view needs it no more."""

from __future__ import annotations

import contextlib
import gc

import trio

from fusefs.operations import Operations
from venvjail.native import Long, call

_QUIET_SECONDS = 1.0


async def watch(operations: Operations) -> None:
    """Give memory back when many inodes were forgotten, and no more are for a moment.

    Those that are left meanwhile keep it: they lie between the others.
    """
    send, receive = trio.open_memory_channel[None](1)

    def tell() -> None:
        with contextlib.suppress(trio.WouldBlock):
            send.send_nowait(None)

    operations.when_thinned(tell)
    async for _ in receive:
        count = None
        while count != operations.inodes:
            count = operations.inodes
            await trio.sleep(_QUIET_SECONDS)
        give_back()


def give_back() -> None:
    """Let the machine have what was needed for inodes that the kernel has forgotten.

    Python keeps objects that are free for the next of their kind, each in an arena that stays for
    them, until the garbage is collected.  malloc_trim(3) is the GNU C library's alone.
    """
    gc.collect()
    with contextlib.suppress(OSError):
        call("malloc_trim", Long(0))
