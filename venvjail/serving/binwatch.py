"""Supervisor (host's namespaces): keep the host's ``venv/bin`` like the real one.

inotify(7) tells of changes, so an idle jail causes no wake-ups.
"""

from __future__ import annotations

import logging
import os

import trio

from venvjail import inotify
from venvjail.bins import EntrySync, entry_text
from venvjail.layout import VenvPaths
from venvjail.record import Record

log = logging.getLogger("venvjail.serving.binwatch")

_SETTLE_SECONDS = 0.1


class Entries:
    """The entries on the host of one venv."""

    def __init__(self, paths: VenvPaths, record: Record) -> None:
        text = entry_text(record.base_python, record.entry_roots, paths.env)
        self._sync = EntrySync(paths, text)
        self._paths = paths

    def sync(self) -> None:
        """Bring ``venv/bin`` up to date; a failure is logged, the jail goes on."""
        try:
            changes = self._sync.sync()
        except OSError as error:
            log.error("cannot bring %s up to date: %s", self._paths.bin, error)
            return
        if changes.added or changes.removed:
            # Not by name: a jail could make the log as long as it likes.
            log.info("entries added: %d, removed: %d", len(changes.added), len(changes.removed))

    async def watch(self) -> None:
        """Sync whenever a name comes or goes in the real bin directory.

        The kernel may have no more watches for this user (EMFILE, ENOSPC; inotify(7)): then there
        is the sync at the end of each command.
        """
        try:
            fd = inotify.watch_names(self._paths.real_bin)
        except OSError as error:
            log.warning("%s is not watched for changes: %s", self._paths.real_bin, error)
            return
        try:
            while True:
                await trio.lowlevel.wait_readable(fd)
                # An installer makes many names at once; the events are only a hint, and drained.
                await trio.sleep(_SETTLE_SECONDS)
                os.read(fd, 65536)
                self.sync()
        finally:
            os.close(fd)
