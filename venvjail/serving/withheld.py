"""Supervisor (host): which withheld environment variables the user of a venv has been told of.

A program that misses its ``GITHUB_TOKEN`` fails in its own words, so the first time that a name is
withheld from a venv a line says so.  By name only: no value ever comes here.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Sequence

from venvjail.atomic import write_file
from venvjail.layout import VenvPaths
from venvjail.quoting import printable

log = logging.getLogger("venvjail.serving.withheld")

_MAX_SIZE = 256 * 1024
#: Names remembered for one venv; with more, those that came first are forgotten.
_MAX_NAMES = 2_000
_MAX_NAMED = 12


def news(paths: VenvPaths, names: Sequence[str]) -> list[str]:
    """The line about those of ``names`` that no earlier one was about; remembers them."""
    if not names:
        return []
    known = _load(paths)
    new = list(dict.fromkeys(name for name in names if name not in known))
    if not new:
        return []
    _save(paths, [*known, *new][-_MAX_NAMES:])
    named = ", ".join(printable(name) for name in new[:_MAX_NAMED])
    more = f" and {len(new) - _MAX_NAMED} more" if len(new) > _MAX_NAMED else ""
    return [
        f"withheld from the jail: {named}{more} (said once; to pass one on, add it to keep in the "
        f"[environment] section of {printable(paths.config)})"
    ]


def forget(paths: VenvPaths) -> None:
    """Let the next command say it all again: nobody has read what was said."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_file(paths))


def _load(paths: VenvPaths) -> dict[str, None]:
    """In the order in which they were said."""
    try:
        fd = os.open(_file(paths), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            names = json.loads(file.read(_MAX_SIZE))
    except (OSError, ValueError):
        return {}
    listed = names if isinstance(names, list) else []
    return dict.fromkeys(name for name in listed if isinstance(name, str))


def _save(paths: VenvPaths, names: Sequence[str]) -> None:
    try:
        write_file(_file(paths), json.dumps(names).encode("ascii"), 0o600)
    except OSError as error:  # then it is said again
        log.warning("what was said of the environment cannot be kept: %s", error)


def _file(paths: VenvPaths) -> str:
    return paths.state + "/withheld.json"
