"""Supervisor and builder: their log, ``…/.venvjail/run/log``, which is their stderr."""

from __future__ import annotations

import logging
from collections import Counter

#: So often one statement logs in the life of a process: what jails do makes some of them speak.
MOST = 1000


def to_stderr() -> None:
    """Log from INFO on, a line each, with time and module."""
    logging.basicConfig(
        format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.INFO, force=True
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(Bounded())


class Bounded(logging.Filter):
    """Drops what one statement logs more than ``MOST`` times."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: Counter[tuple[str, int]] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        place = record.pathname, record.lineno
        self._counts[place] += 1
        return self._counts[place] <= MOST
