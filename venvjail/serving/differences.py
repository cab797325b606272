"""Supervisor (host's namespaces): which new values of the config a running jail cannot take."""

from __future__ import annotations

from typing import Any

from venvjail.config.model import Config
from venvjail.config.schema import SECTIONS, Key, Section, Shape
from venvjail.config.view import toml_value

#: What is asked for anew each time; all other keys have become mounts, namespaces or filters.
LIVE_KEYS = frozenset(
    {"home.allow", "home.hide", "jail.linger", "jail.notice", "jail.terminal"}
    | {f"environment.{key}" for key in ("withhold", "keep", "only", "set")}
    | {f"audit.{key}" for key in ("sensitive", "expected")}
)


def changed_keys(started: Config, now: Config) -> list[str]:
    """The keys that are not live and have other values than the jail was started with."""
    return [
        f"[{section.name}] {key.name}"
        for section in SECTIONS
        for key in section.keys
        if f"{section.name}.{key.name}" not in LIVE_KEYS
        and _values(started, section, key) != _values(now, section, key)
    ]


def _values(config: Config, section: Section, key: Key) -> Any:
    """The value without its origin: a line that moved changes nothing."""
    value = getattr(getattr(config, section.name), key.name)
    if value is None:
        return None
    if key.shape is Shape.ONE:
        return toml_value(value)
    return sorted(toml_value(entry) for entry in value)
