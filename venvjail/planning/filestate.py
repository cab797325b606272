"""Builder and supervisor (host): whether files are as they were, without reading them."""

from __future__ import annotations

import os
from collections.abc import Iterable

FileStates = tuple[tuple[int, ...] | None, ...]
"""What changes when a file is written or replaced, for each of some files; None for none."""


def states(files: Iterable[str]) -> FileStates:
    """How ``files`` are now; symlinks are followed."""
    return tuple(map(_state, files))


def _state(file: str) -> tuple[int, ...] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return (
        status.st_dev,
        status.st_ino,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_size,
    )
