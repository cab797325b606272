"""Wait for what another process does: by looking again, never by sleeping on luck."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

_PAUSE = 0.02
#: So often is looked at least, whatever the time: a busy machine gets its turns later, not fewer.
_LOOKS = 50


def eventually(condition: Callable[[], Result], what: str, *, seconds: float = 15.0) -> Result:
    """Return the first true result of ``condition()``.

    Fail with ``what`` after ``seconds`` and fifty looks, which take one second of a machine that
    has nothing else to do, and more of one that has.
    """
    deadline = time.monotonic() + seconds
    looks = 1
    while not (result := condition()):
        late = time.monotonic() >= deadline and looks >= _LOOKS
        assert not late, f"not within {seconds:g} s: {what}"
        time.sleep(_PAUSE)
        looks += 1
    return result


def is_locked(path: Path) -> bool:
    """Whether somebody holds an exclusive flock(2) of ``path``; False where there is no file."""
    try:
        lock = os.open(path, os.O_WRONLY)  # the start lock may not be read: flock(2) takes no more
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
