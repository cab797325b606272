"""Supervisor (host): the walk through the project again, at the price of what has changed.

Whoever waits for the end of a command waits for the search of the project as well.  What was looked
into is remembered, and inotify(7) tells in which directories a name has come or gone.  Nobody waits
for the descriptor: it is read when a command has ended, so that what goes on in the project wakes
nothing up.
"""

from __future__ import annotations

import errno
import logging
import os

from venvjail import inotify
from venvjail.planning import search
from venvjail.planning.search import Eye, Look, Walk

log = logging.getLogger("venvjail.serving.watched")

_NAMES = inotify.IN_CREATE | inotify.IN_DELETE | inotify.IN_MOVED
_WATCHED = _NAMES | inotify.IN_ATTRIB | inotify.IN_MOVE_SELF
#: After these, paths are not what they were, or it is not known.
_ALL_LOST = inotify.IN_Q_OVERFLOW | inotify.IN_UNMOUNT | inotify.IN_MOVE_SELF
#: What is read at once; of what makes more of them, all is searched anew.
_EVENTS = 65536
#: The user has no instance or watch left, or the kernel no memory; inotify(7).
_USED_UP = (errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.ENOMEM)


class Watched:
    """Walks through ``tops`` with ``eye``, and remembers ``most`` directories at most."""

    def __init__(self, tops: list[str], eye: Eye, most: int) -> None:
        self._tops = tops
        self._eye = eye
        self._most = most
        self._fd = -1
        self._looks: dict[str, Look] = {}
        self._paths: dict[int, str] = {}
        """The directories that are watched, by the numbers of their watches."""
        self._walk: Walk | None = None
        """The last one, where all that it saw is remembered."""
        self._remembered = 0
        """Of the directories of a walk so many."""
        self._is_used_up = False

    def walk(self) -> Walk:
        """As `search.walk`, with its errors."""
        if self._fd != -1:
            self._hear()
        if self._walk is None:
            self._remembered = 0
            found = search.walk(self._tops, self._look)
            self._walk = found if self._remembered == found.searched else None
            return found
        return self._walk

    def forget(self) -> None:
        """Watch nothing any more, and begin anew at the next walk."""
        if self._fd != -1:
            os.close(self._fd)
        self._fd = -1
        self._looks.clear()
        self._paths.clear()
        self._walk = None

    def _hear(self) -> None:
        """Forget what is no longer as it was."""
        try:
            data = os.read(self._fd, _EVENTS)
        except BlockingIOError:
            return
        events = list(inotify.events(data))
        # Of so many there may be more, and no end while programs run.
        if len(data) > _EVENTS // 2 or any(event.mask & _ALL_LOST for event in events):
            self.forget()
        else:
            for event in events:
                self._take(event)

    def _take(self, event: inotify.Event) -> None:
        if event.mask & inotify.IN_ATTRIB and not event.mask & inotify.IN_ISDIR:
            return  # neither names nor permission to see them
        self._walk = None
        directory = self._paths.get(event.watch, "")
        self._looks.pop(directory, None)
        if event.name:
            # One that was removed keeps its watch while somebody has it open, and says nothing.
            self._looks.pop(f"{directory}/{os.fsdecode(event.name)}", None)
        if event.mask & inotify.IN_IGNORED:  # removed, and the watch with it
            self._paths.pop(event.watch, None)

    def _look(self, directory: str, is_top: bool) -> Look:
        look = self._looks.get(directory)
        if look is None:
            # First, so that what comes while we look is told of.
            is_watched = self._watch(directory)
            look = self._eye(directory, is_top)
            if not is_watched:
                return look
            self._looks[directory] = look
        self._remembered += 1
        return look

    def _watch(self, directory: str) -> bool:
        if self._is_used_up or len(self._paths) >= self._most:
            return False
        try:
            if self._fd == -1:
                self._fd = inotify.instance()
            watch = inotify.add_watch_itself(self._fd, directory, _WATCHED)
        except OSError as error:
            if error.errno in _USED_UP:
                log.warning("the project is not watched for changes: %s", error)
                self.forget()
                self._is_used_up = True
            return False
        # Else one directory is at two places, by a bind mount: its events are for one of them.
        return self._paths.setdefault(watch, directory) == directory
