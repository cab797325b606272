"""Supervisor and builder: their log, ``…/.venvjail/run/log``, which is their stdout and stderr.

What a jailed program does ends up there too (the names that it puts in ``venv/bin``), so the log
is bounded: one that has grown is kept as ``log.old``, and the one before that is gone.
"""

from __future__ import annotations

import contextlib
import logging
import os

MOST_BYTES = 1 << 20
"""A log of this size is put aside before the next line."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class _Bounded(logging.StreamHandler):  # type: ignore[type-arg] # generic in typeshed only
    """Writes to stderr, which is the file ``path``."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):  # a full disk, or the venv is gone: nobody is to be told
            self._bound()
        super().emit(record)

    def _bound(self) -> None:
        status = os.fstat(2)
        if status.st_size < MOST_BYTES or not os.path.samestat(status, os.lstat(self._path)):
            return
        os.replace(self._path, self._path + ".old")
        fresh = os.open(self._path, _NEW, 0o600)
        for fd in (1, 2):
            os.dup2(fresh, fd)
        os.close(fresh)


def to_stderr(path: str) -> None:
    """Log from INFO on, a line each, with time and module; stderr is the file ``path``."""
    logging.basicConfig(
        format="%(asctime)s %(name)s %(levelname)s %(message)s",
        level=logging.INFO,
        handlers=[_Bounded(path)],
        force=True,
    )
