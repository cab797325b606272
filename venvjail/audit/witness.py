"""Supervisor (host's namespaces), a thread: tell which program a process runs.

Reading ``/proc/PID/exe`` takes the rights of ptrace(2), which Landlock denies the supervisor for
every process outside of its own domain.  Landlock confines a thread and those it starts later; this
one is started before the supervisor confines itself, keeps the rights and does nothing else.
"""

from __future__ import annotations

import os
import queue
import threading

_ANSWER_SECONDS = 1.0


class Witness:
    """To be made by the main thread before it is confined, and asked by it."""

    def __init__(self) -> None:
        self._questions: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[tuple[int, str | None]] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="witness", daemon=True).start()

    def executable(self, pid: int) -> str | None:
        """The path of the program that ``pid`` runs; None when it has ended or is not ours."""
        self._questions.put(pid)
        try:
            while True:
                asked, path = self._answers.get(timeout=_ANSWER_SECONDS)
                if asked == pid:  # not: an answer that came too late for its question
                    return path
        except queue.Empty:
            return None

    def _serve(self) -> None:
        while True:
            pid = self._questions.get()
            try:
                self._answers.put((pid, os.readlink(f"/proc/{pid}/exe")))
            except OSError:
                self._answers.put((pid, None))
