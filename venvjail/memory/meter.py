"""Supervisor (host's namespaces), a thread: take the looks that need the rights of ptrace(2).

Landlock denies these to the supervisor (`venvjail.audit.witness` says how).  This thread is started
before the supervisor confines itself, and reads only.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading

import trio

from venvjail.memory.look import Look
from venvjail.memory.readings import Sources, exact

log = logging.getLogger("venvjail.memory.meter")

_SECONDS = 2.0


class Question:
    """What ``sources`` tell; ``answered`` is set when ``answer`` is there, None for a failure."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.answer: Look | None = None
        self.answered = trio.Event()
        self._loop = trio.lowlevel.current_trio_token()

    def take(self) -> None:
        """In the thread."""
        try:
            self.answer = exact(self.sources)
        except Exception:
            log.exception("the jail's memory cannot be read")
        with contextlib.suppress(trio.RunFinishedError):
            self._loop.run_sync_soon(self.answered.set)


class Meter:
    """To be made by the main thread before it is confined, and asked by it."""

    def __init__(self) -> None:
        self._questions: queue.SimpleQueue[Question] = queue.SimpleQueue()
        self._last: Question | None = None
        threading.Thread(target=self._serve, name="meter", daemon=True).start()

    async def look(self, sources: Sources) -> Look | None:
        """The exact look; None where it does not come within two seconds.

        The memory of a process cannot be read while the process changes its mappings, which a
        network file system may make it wait for.
        """
        if self._last is not None and not self._last.answered.is_set():
            return None
        self._last = question = Question(sources)
        self._questions.put(question)
        with trio.move_on_after(_SECONDS):
            await question.answered.wait()
        return question.answer

    def _serve(self) -> None:
        while True:
            self._questions.get().take()
