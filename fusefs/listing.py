"""Listing directories: the names as they were when reading began, each looked up when reported."""

from __future__ import annotations

import errno
import time
from collections import OrderedDict
from functools import partial

import pyfuse3

from fusefs.answers import Requests, entry_attributes
from fusefs.handles import DirHandle
from fusefs.nodes import Node, NodeTable
from fusefs.slow import Pending
from fusefs.tree import Entry

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ELOOP)
_DOTS = (b".", b"..")
_KEPT_NAMES = 250_000  # of 300 bytes at most


class Listings:
    """The names in open directories, each as they were when reading it last began at the start.

    A position in a listing is an index into that snapshot, so that names which come and go while a
    program reads neither repeat nor hide others.  More than ``limit`` names are not kept but for
    the listing read last: a directory of many can be opened thousands of times.  What was given up
    is listed anew when it is read on.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._listings: OrderedDict[int, list[bytes]] = OrderedDict()
        self._total = 0

    def keep(self, number: int, names: list[bytes]) -> None:
        """The listing of the open directory ``number`` from now on."""
        self.drop(number)
        self._listings[number] = names
        self._total += len(names)
        while self._total > self._limit and len(self._listings) > 1:
            self.drop(next(iter(self._listings)))

    def get(self, number: int) -> list[bytes] | None:
        """That listing, if it is still kept."""
        names = self._listings.get(number)
        if names is not None:
            self._listings.move_to_end(number)
        return names

    def drop(self, number: int) -> None:
        """The directory was closed."""
        self._total -= len(self._listings.pop(number, ()))


class Listing:
    """Answers readdir requests, each within about ``seconds``."""

    def __init__(self, request: Requests, table: NodeTable, seconds: float) -> None:
        self._request = request
        self._table = table
        self._seconds = seconds
        self._listings = Listings(_KEPT_NAMES)

    def closed(self, number: int) -> None:
        """The open directory ``number`` is none any more."""
        self._listings.drop(number)

    async def report(
        self, number: int, handle: DirHandle, start: int, token: pyfuse3.ReaddirToken
    ) -> None:
        """Report entries of the open directory ``number`` from ``start`` on.

        As many as there is room and time for.
        """
        node, begin = handle.node, time.monotonic()
        names = self._listings.get(number)
        if start == 0 or names is None:
            found = await self._request("readdir", handle.pid, node, lambda: node.tree.names(node))
            names = [*_DOTS, *found]
            self._listings.keep(number, names)
        for index in range(start, len(names)):
            name = names[index]
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
        if error.errno in _NOT_THERE:
            return None
        raise  # EIO, EACCES: who copies or removes by a listing must not take it for whole
