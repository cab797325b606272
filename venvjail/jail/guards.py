"""Supervisor (host): what in the project the host will run or trust later.

These paths are read-only in the jail: other virtual environments, version control and editor
directories (``[project] protect``), and the launcher's own code where it lies in the project.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field

from venvjail.config.model import Config
from venvjail.jail.plan import within
from venvjail.layout import VenvPaths

#: Directories that hold thousands of others and nothing that the host would look for a guard in.
_NOT_SEARCHED = frozenset({"__pycache__", "node_modules", "site-packages", ".tox", ".nox"})
#: Upper bound of directories searched, so that a huge project does not delay every start.
_SEARCH_LIMIT = 50_000

#: Held by an empty directory where missing: git would use one that the jail makes.
PLACEHOLDERS = (".git",)


@dataclass
class Guards:
    """Existing paths in the project; not ``complete`` when not all of it was searched."""

    read_only: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    complete: bool = True


def find(project: str, own_env: str, config: Config) -> Guards:
    """Search the project for what has to be guarded; symlinks are never followed.

    A name in ``[project] protect`` without a slash is guarded wherever it stands in the project,
    a longer path at its place only.
    """
    protect = [item.value for item in config.project.protect]
    names = frozenset(path for path in protect if "/" not in path)
    guards = Guards()
    for path in protect:
        if "/" in path and os.path.lexists(f"{project}/{path}"):
            guards.read_only.add(f"{project}/{path}")
    pending = [project]
    searched = 0
    while pending:
        searched += 1
        if searched > _SEARCH_LIMIT:
            guards.complete = False
            break
        pending += _search(pending.pop(), own_env, names, guards)
    guards.read_only = {path for path in guards.read_only if not os.path.islink(path)}
    return guards


def _search(directory: str, own_env: str, names: frozenset[str], guards: Guards) -> list[str]:
    """Look through one directory; the directories below it that have to be searched too."""
    deeper = []
    try:
        with os.scandir(directory) as entries:
            found = list(entries)
    except OSError:
        return []  # what the user cannot list, the jail cannot either
    for entry in found:
        if entry.name in names:
            guards.read_only.add(entry.path)
        elif entry.path == own_env or entry.name in _NOT_SEARCHED:
            continue
        elif entry.is_dir(follow_symlinks=False):
            if os.path.lexists(entry.path + "/pyvenv.cfg"):
                _guard_venv(entry.path, guards)
            else:
                deeper.append(entry.path)
    return deeper


def _guard_venv(env: str, guards: Guards) -> None:
    guards.read_only.add(env)
    paths = VenvPaths(env)
    if os.path.lexists(paths.state):
        guards.hidden |= {paths.state, paths.store}


def launcher_code(project: str, own_env: str, roots: Iterable[str]) -> set[str]:
    """Those of ``roots`` (venvjail, its dependencies, its interpreter) that lie in the project."""
    real = {os.path.realpath(root) for root in roots}
    return {root for root in real if within(root, project) and not within(root, own_env)}


def hold_places(project: str, config: Config) -> list[str]:
    """Make the empty placeholders that are missing; those to be removed by ``release_places``.

    An empty one that is there already is a placeholder that a crash has left.
    """
    protect = {item.value for item in config.project.protect}
    held = []
    for name in PLACEHOLDERS:
        path = f"{project}/{name}"
        if name not in protect:
            continue
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            os.mkdir(path, 0o755)
            held.append(path)
            continue
        if stat.S_ISDIR(status.st_mode) and not os.listdir(path):
            held.append(path)
    return held


def release_places(held: Iterable[str]) -> None:
    """Remove placeholders that are still empty."""
    for path in held:
        try:
            os.rmdir(path)
        except OSError:
            continue  # the user has made a repository of it meanwhile
