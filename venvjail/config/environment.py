"""Runs in the supervisor (host): which environment variables a command takes into the jail.

Decided from names alone; no value of a caller's variable ever comes here.
"""

import fnmatch
import re
from collections.abc import Sequence
from typing import NamedTuple

from venvjail.config.model import Environment, Item


class Decision(NamedTuple):
    """What an entry does to its environment: remove ``withheld``, then set ``assign``."""

    withheld: tuple[str, ...]
    assign: dict[str, str]


class EnvironmentRules:
    """The ``[environment]`` section, compiled.

    ``set`` wins over ``keep``, ``keep`` over ``withhold``, and ``withhold`` over ``only``: a broad
    ``only`` must not let a secret through.
    """

    def __init__(self, environment: Environment) -> None:
        self._assign = {entry.name: entry.value for entry in environment.set}
        self._keep = _matcher(environment.keep)
        self._withhold = _matcher(environment.withhold)
        self._only = _matcher(environment.only) if environment.only is not None else None

    def decide(self, names: Sequence[str]) -> Decision:
        """The verdict on a caller's variables *names* (undecodable bytes as surrogate escapes)."""
        withheld = (name for name in names if not self._passes(name))
        return Decision(tuple(dict.fromkeys(withheld)), dict(self._assign))

    def _passes(self, name: str) -> bool:
        if name in self._assign or self._keep.match(name):
            return True
        if self._withhold.match(name):
            return False
        return self._only is None or self._only.match(name) is not None


def _matcher(patterns: Sequence[Item]) -> re.Pattern[str]:
    """One expression for all *patterns*; without any it matches nothing.

    Case is ignored: npm reads ``npm_config__auth`` as well as ``NPM_CONFIG__AUTH``.
    """
    translated = (fnmatch.translate(pattern.value) for pattern in patterns)
    return re.compile("|".join(translated) or r"(?!)", re.IGNORECASE)
