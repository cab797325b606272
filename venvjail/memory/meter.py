"""Supervisor (host's namespaces), a thread: take the looks that need the rights of ptrace(2).

Landlock denies these to the supervisor (`venvjail.audit.witness` says how).  This thread is started
before the supervisor confines itself, and reads only.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Sequence

import trio

from venvjail.memory.look import Look
from venvjail.memory.readings import Sources, exact

log = logging.getLogger("venvjail.memory.meter")


class Question:
    """An exact look asked for; ``answered`` is set when ``answer`` is there, None for a failure."""

    def __init__(self, sources: Sources, first: Sequence[int], enough: int) -> None:
        self._asked = sources, first, enough
        self._loop = trio.lowlevel.current_trio_token()
        self.answered = trio.Event()
        self.answer: Look | None = None
        self.cost = 0.0
        """The processor's seconds that the answer took."""

    def take(self) -> None:
        """In the thread."""
        begun = time.thread_time()
        try:
            self.answer = exact(*self._asked)
        except Exception:
            log.exception("the jail's memory cannot be read")
        self.cost = time.thread_time() - begun
        with contextlib.suppress(trio.RunFinishedError):
            self._loop.run_sync_soon(self.answered.set)


class Meter:
    """To be made by the main thread before it is confined, and asked by it."""

    def __init__(self) -> None:
        self._questions: queue.SimpleQueue[Question] = queue.SimpleQueue()
        self._last: Question | None = None
        threading.Thread(target=self._serve, name="meter", daemon=True).start()

    def ask(self, sources: Sources, first: Sequence[int], enough: int) -> Question | None:
        """Begin what `exact` does; None while the last one goes on.

        The memory of a process cannot be read while the process changes its mappings, which a
        network file system may make it wait for.
        """
        if self._last is not None and not self._last.answered.is_set():
            return None
        self._last = Question(sources, first, enough)
        self._questions.put(self._last)
        return self._last

    def _serve(self) -> None:
        while True:
            self._questions.get().take()
