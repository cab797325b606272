"""Command line (host): a point in time as people type it."""

from __future__ import annotations

import re
import time

from venvjail.errors import UserError
from venvjail.quoting import printable

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_FORMATS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
)
_TODAY = ("%H:%M:%S", "%H:%M")


def point_in_time(text: str, now: float) -> float:
    """``text`` in seconds since the epoch: ``30m`` ago, ``12:00`` today, ``2026-01-31``.

    Raises UserError for anything else.
    """
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return now - int(ago[1]) * _UNITS[ago[2]]
    today = time.strftime("%Y-%m-%d ", time.localtime(now))
    attempts = [(text, form) for form in _FORMATS]
    attempts += [(today + text, "%Y-%m-%d " + form) for form in _TODAY]
    for attempt, form in attempts:
        try:
            return time.mktime(time.strptime(attempt.strip(), form))
        except (ValueError, OverflowError):
            continue
    raise UserError(
        f"{printable(text)}: is not a time; write 30m, 2h or 7d (ago), 12:00 (today) "
        "or 2026-01-31 12:00"
    )
