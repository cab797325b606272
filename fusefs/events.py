"""What the file system tells its observer: one event for each refusal and redirected creation.

`Refused` is how the models (``home``, ``proc``) say no for a reason of policy.  It is an `OSError`,
so the errno boundary treats it like any other; the verdict is what makes it an event.
"""

from __future__ import annotations

import enum
import errno
import os
from collections.abc import Callable
from typing import NamedTuple


class Verdict(enum.Enum):
    """What became of an operation; the value is the word that people read."""

    ALLOWED = "allowed"
    HIDDEN = "hidden"
    READ_ONLY = "read-only"
    DENIED = "denied"
    REDIRECTED = "redirected"


class Event(NamedTuple):
    """One operation and its verdict.

    ``operation`` is the name of the FUSE request (``"lookup"``, ``"open"``).  ``path`` is relative
    to the view: ``b"home/.ssh"``, ``b"proc/kcore"``.  ``pid`` is the caller's in the PID namespace
    of the mount, 0 when it has none there.  ``errno`` is the answer, ``None`` for success.
    ``exists`` says that the host has such a name, whether or not the view shows it.
    """

    operation: str
    path: bytes
    verdict: Verdict
    pid: int
    errno: int | None
    exists: bool


Observer = Callable[[Event], None]
"""Called in the server's own thread, between a request and its answer: must be quick."""


class Refused(OSError):  # noqa: N818 - reads as what it says: raise Refused(...)
    """Refused by policy, not by the host's file system.

    ``path`` is set where another than the request's own path is the reason.
    """

    def __init__(self, number: int, verdict: Verdict, *, exists: bool = True) -> None:
        super().__init__(number, os.strerror(number))
        self.verdict = verdict
        self.exists = exists
        self.path: bytes | None = None


def hidden(*, exists: bool) -> Refused:
    """ENOENT for a name that the rules hide; ``exists``: the host has it."""
    return Refused(errno.ENOENT, Verdict.HIDDEN, exists=exists)


def hides_something(error: BaseException | None) -> bool:
    """Whether ``error`` says ENOENT of a name that the host has."""
    return isinstance(error, Refused) and error.verdict is Verdict.HIDDEN and error.exists


def read_only(path: bytes | None = None) -> Refused:
    """EROFS for a change of what the host owns; ``path`` as in `Refused`."""
    refusal = Refused(errno.EROFS, Verdict.READ_ONLY)
    refusal.path = path
    return refusal


def denied() -> Refused:
    """EACCES for reading what is there but not for the jail."""
    return Refused(errno.EACCES, Verdict.DENIED)
