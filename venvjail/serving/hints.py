"""Supervisor (host's namespaces): why a command may have failed.

When an argument of a command that failed names something that the host has and the jail hides, one
line says so, with the remedy.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator

from venvjail.config.model import Config
from venvjail.planning.decisions import Prepared
from venvjail.sight.explanation import HIDDEN, Explanation
from venvjail.sight.sight import Sight


def hint(prepared: Prepared, config: Config, directory: str, words: Iterable[str]) -> str | None:
    """The line about the first of ``words``, given in ``directory``, that is hidden; or None."""
    existing = list(_existing(directory, words))
    if not existing:
        return None
    with Sight(config, prepared.facts, prepared.record) as sight:
        for path in existing:
            line = _line(sight.explain(path))
            if line is not None:
                return line
    return None


def _existing(directory: str, words: Iterable[str]) -> Iterator[str]:
    """The paths among the words that the host has: ``a/b``, ``--option=a/b``."""
    for word in words:
        path = word.partition("=")[2] if word.startswith("-") else word
        if path and "\0" not in path:
            full = os.path.join(directory, path)
            if full.startswith("/") and os.path.lexists(full):
                yield full


def _line(found: Explanation) -> str | None:
    path = found.path
    if found.verdict == HIDDEN and found.there:
        if found.change is None:
            return f"{path} exists, but no jail shows it: {found.rule}"
        return f"{path} exists, but the jail hides it; to show it: {found.change}"
    elsewhere = found.stored is not None and found.stored != found.path
    if elsewhere and not found.there and os.path.lexists(found.path):
        copy = f"cp -r {shlex.quote(path)} {shlex.quote(found.stored or '')}"
        return f"{path} exists, but what the jail has there is its own; to copy it: {copy}"
    return None
