"""Wait for what another process does: by looking again, never by sleeping on luck."""

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

_PAUSE = 0.02


def eventually(condition: Callable[[], Result], what: str, *, seconds: float = 15.0) -> Result:
    """Return the first true result of ``condition()``; fail with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(_PAUSE)
    return result
