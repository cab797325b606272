"""Listing directories: the names as they were when reading began, each looked up when reported."""

from __future__ import annotations

import errno
import time
from functools import partial

import pyfuse3

from fusefs.answers import Requests, entry_attributes
from fusefs.handles import DirHandle
from fusefs.nodes import Node, NodeTable
from fusefs.slow import Pending
from fusefs.tree import Entry

_DOTS = (b".", b"..")


class Listing:
    """Answers readdir requests, each within about ``seconds``."""

    def __init__(self, request: Requests, table: NodeTable, seconds: float) -> None:
        self._request = request
        self._table = table
        self._seconds = seconds

    async def report(self, handle: DirHandle, start: int, token: pyfuse3.ReaddirToken) -> None:
        """Report entries from number ``start`` on, as many as there is room and time for."""
        node, begin = handle.node, time.monotonic()
        if start == 0:
            names = await self._request("readdir", handle.pid, node, lambda: node.tree.names(node))
            handle.names = [*_DOTS, *names]
        for index in range(start, len(handle.names)):
            name = handle.names[index]
            try:
                entry = await self._entry(handle, name)
            except pyfuse3.FUSEError:
                if index == start:
                    raise
                return  # with what there is; the next request begins here
            if entry is not None and not self._accepted(entry, name, index + 1, token):
                return
            if time.monotonic() > begin + self._seconds:
                return

    async def _entry(self, handle: DirHandle, name: bytes) -> Entry | None:
        try:
            return _looked_up(handle.node, name)
        except (Exception, Pending):  # noqa: BLE001 - to wait, or to fail, is the boundary's matter
            work = partial(_looked_up, handle.node, name)
            return await self._request("readdir", handle.pid, handle.node, work, part=True)

    def _accepted(
        self, entry: Entry, name: bytes, next_id: int, token: pyfuse3.ReaddirToken
    ) -> bool:
        """Report one entry; ``False`` when there is no more room for it."""
        accepted = pyfuse3.readdir_reply(token, name, entry_attributes(*entry), next_id)
        if name in _DOTS:
            return accepted  # no lookup is counted (fuse_direntplus_link() in fs/fuse/readdir.c)
        if accepted:
            entry.node.lookups += 1
        else:
            self._table.drop(entry.node)
        return accepted


def _looked_up(node: Node, name: bytes) -> Entry | None:
    """What a listing says of ``name``; nothing if it is gone since the listing began, or hidden."""
    if name in _DOTS:
        # Only number and type are used.
        shown = node if name == b"." or node.parent is None else node.parent
        return Entry(shown, shown.tree.attributes(shown))
    try:
        return node.tree.lookup(node, name)
    except OSError as error:
        if error.errno == errno.ETIMEDOUT:
            raise
        return None
