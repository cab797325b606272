"""Supervisor and builder: their log, ``…/.venvjail/run/log``, which is their stderr."""

from __future__ import annotations

import logging


def to_stderr() -> None:
    """Log from INFO on, a line each, with time and module."""
    logging.basicConfig(
        format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.INFO, force=True
    )
