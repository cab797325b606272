"""Mounting a view and serving it until it is unmounted or cancelled."""

from __future__ import annotations

import os
from collections.abc import Callable

import pyfuse3

from fusefs.operations import Operations

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
    /dev/fuse already mounted, maybe in another mount namespace, and not ours to unmount.
    ``ready`` is called when requests can be made.  One view at a time in a process: pyfuse3 has
    one session.

    Raises `RuntimeError` when the mount fails; libfuse has said why on stderr.  When cancelled it
    answers what it is working on, unmounts what it mounted and returns at once.
    """
    adopted = mount.startswith(_ADOPTED)
    if not adopted:
        operations.never_look_at(os.fsencode(mount))
    mounted = False
    try:
        pyfuse3.init(operations, mount, set(options))
        mounted = True
        if ready is not None:
            ready()
        await pyfuse3.main()
    finally:
        if mounted:
            pyfuse3.close(unmount=not adopted)
        operations.close()
