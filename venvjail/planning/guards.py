"""Supervisor (host): what in the jail's writable directories the host will run or trust later.

These paths are read-only in the jail: other virtual environments, repositories, editor directories
(``[project] protect``), and the launcher's code of every venv where it lies in the project.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from venvjail import record
from venvjail.config.model import Config
from venvjail.errors import JailError, UserError
from venvjail.planning import repository, search, second_names
from venvjail.planning.launcher import Launcher
from venvjail.planning.plan import within
from venvjail.planning.search import Walk

#: More guards than this are not mounted; the kernel's own limit is fs.mount-max, 100,000.
_GUARD_LIMIT = 10_000


class Guards(NamedTuple):
    """What has to be guarded below the writable directories; real paths."""

    read_only: set[str]
    """Paths to be read-only, existing ones; a symlink is guarded itself."""
    links: set[str]
    """Symlinks that lead to a directory above a guarded path, or above the venv itself."""
    hidden: set[str]
    """State directories and stores of other venvs."""
    closed: set[str]
    """Directories that could not be looked into; they have to be read-only too."""
    searched: int
    """How many directories were searched."""

    def all(self) -> set[str]:
        """Every path that is to be read-only."""
        return self.read_only | self.closed | self.links


def find(tops: Iterable[str], own_env: str, config: Config) -> Guards:
    """Search the writable directories ``tops`` for what has to be guarded.

    A name in ``[project] protect`` without a slash is guarded wherever it stands, a longer path at
    its place in the project only.  Raises JailError where not all can be searched or guarded.
    """
    tops = outermost(tops)
    walk = search.walk(tops, search.Eye(own_env, names(config)))
    paths = read_only(walk, tops, own_env, config)
    for env in walk.venvs:
        paths |= launcher_of(env, tops)
    paths |= second_names.of(paths, tops, own_env)
    links = set(_leading(walk.symlinks, tops, {own_env, *paths, *walk.closed}))
    found = Guards(paths, links, walk.hidden, walk.closed, walk.searched)
    if len(found.all()) > _GUARD_LIMIT:
        raise JailError(
            f"{', '.join(tops)}: holds more than {_GUARD_LIMIT:,} repositories, virtual "
            "environments and the like; remove those not needed, or choose a smaller project"
        )
    return found


def read_only(walk: Walk, tops: list[str], own_env: str, config: Config) -> set[str]:
    """What is to be read-only of what ``walk`` has found, and what that leads to.

    But for the code of other launchers, and second names.  ``tops`` are the walk's directories.
    """
    found = set(walk.read_only)
    found |= {link for link in walk.symlinks if os.path.lexists(link + "/pyvenv.cfg")}
    found |= _named(walk.repositories, tops, own_env, walk.hidden)
    if config.project.path is not None:
        found |= set(_paths(os.path.realpath(config.project.path.value), config))
    return found


def outermost(tops: Iterable[str]) -> list[str]:
    """Those of ``tops`` that are below none of the others."""
    every = sorted(set(tops))
    return [top for top in every if not any(top != o and within(top, o) for o in every)]


def names(config: Config) -> frozenset[str]:
    """Those of ``[project] protect`` that count wherever they stand, in lower case."""
    return frozenset(value.lower() for value in _protected(config) if "/" not in value)


def _protected(config: Config) -> Iterator[str]:
    """``[project] protect`` without ``unprotect``."""
    opened = {item.value.lower() for item in config.project.unprotect}
    return (i.value for i in config.project.protect if i.value.lower() not in opened)


def _paths(project: str, config: Config) -> Iterator[str]:
    for value in _protected(config):
        if "/" in value:
            directory, name = os.path.split(f"{project}/{value}")
            path = f"{repository.real(directory)}/{name}"
            if within(path, project) and os.path.lexists(path):
                yield path


def _named(
    repositories: Iterable[str], tops: list[str], own_env: str, hidden: Iterable[str]
) -> set[str]:
    """What the config of repositories names, of those below ``tops`` and those that hold them.

    A config that a jail has written must not keep the next one from starting, by naming what has
    no place in it or what its own venv is in.
    """
    every = dict.fromkeys([*repositories, *(w for top in tops for w in repository.around(top))])
    found = {path for tree in every for path in repository.named_by_config(tree, tops)}
    apart = (own_env, *hidden)
    return {
        path
        for path in found
        if not within(own_env, path) and not any(within(path, other) for other in apart)
    }


def _leading(symlinks: Iterable[str], tops: list[str], guarded: set[str]) -> Iterator[str]:
    """Those of ``symlinks`` by which the host comes to one of the paths ``guarded``.

    Who replaces ``envs -> .environments`` by a directory of its own decides what is run as
    ``envs/dev/bin/python``; and so with the way that git takes to its hooks.
    """
    above = set(guarded)
    for path in guarded:
        while path not in tops and path not in ("", "/"):
            path = os.path.dirname(path)
            above.add(path)
    return (link for link in symlinks if repository.real(link) in above)


def launcher_of(env: str, tops: list[str]) -> set[str]:
    """What of the code that is run for another venv lies below ``tops``.

    Its record may be a forgery, made by a jail that shares the project: it can do no more than
    make parts of the project read-only.
    """
    try:
        return Launcher.of(record.load(env, any_layout=True)).paths_in(tops)
    except UserError:
        return set()  # it does not start either
