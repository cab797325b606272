"""Supervisor (host): what in the jail's writable directories the host will run or trust later.

These paths are read-only in the jail: other virtual environments, repositories, editor directories
(``[project] protect``), and the launcher's code of every venv where it lies in the project.  The
search must not be led astray by a jail that ran before: it follows no symlinks, takes a directory
that cannot be listed for one to be guarded, and gives up, aloud, rather than leave some out.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator

from venvjail import record
from venvjail.config.model import Config
from venvjail.errors import JailError, UserError
from venvjail.layout import VenvPaths
from venvjail.planning import repository, second_names
from venvjail.planning.launcher import Launcher
from venvjail.planning.plan import within

#: Directories that hold thousands of others, made by programs that often run in the jail.
_NOT_SEARCHED = frozenset({"__pycache__", "node_modules", "site-packages", ".tox", ".nox"})
#: More directories than this are not searched (it takes some seconds), and no jail is started.
SEARCH_LIMIT = 100_000
#: More guards than this are not mounted; the kernel's own limit is fs.mount-max, 100,000.
_GUARD_LIMIT = 10_000

_VENV_NAMES = frozenset({"pyvenv.cfg", ".venvjail"})
#: Names that tell a directory for a venv or a repository.
_TELLING = _VENV_NAMES | {"HEAD", "commondir", "objects", "refs"}
#: What the host runs and reads of a venv, for one that cannot be read-only as a whole.
_VENV_PARTS = ("bin", "lib", "lib64", "pyvenv.cfg")


class Guards:
    """What was found below the writable directories; real paths."""

    def __init__(self) -> None:
        #: Paths to be read-only, existing ones; a symlink is guarded itself.
        self.read_only: set[str] = set()
        #: Symlinks that lead to a directory above a guarded path, or above the venv itself.
        self.links: set[str] = set()
        #: State directories and stores of other venvs.
        self.hidden: set[str] = set()
        #: Directories that could not be looked into; they have to be read-only too.
        self.closed: set[str] = set()
        #: Other venvs that venvjail has made.
        self.venvs: set[str] = set()
        #: How many directories were searched.
        self.searched = 0

    def all(self) -> set[str]:
        """Every path that is to be read-only."""
        return self.read_only | self.closed | self.links


def find(tops: Iterable[str], own_env: str, config: Config) -> Guards:
    """Search the writable directories ``tops`` for what has to be guarded.

    A name in ``[project] protect`` without a slash is guarded wherever it stands, a longer path at
    its place in the project only.  Raises JailError where not all can be searched or guarded.
    """
    tops = _outermost(tops)
    search = _Search(own_env, names(config), Guards())
    for top in tops:
        search.run(top)
    found = search.found
    found.read_only |= _named(search.worktrees, tops, own_env, found.hidden)
    if config.project.path is not None:
        found.read_only |= set(_paths(os.path.realpath(config.project.path.value), config))
    for env in found.venvs:
        found.read_only |= _launcher_of(env, tops)
    found.read_only |= second_names.of(found.read_only, tops, own_env)
    found.links = set(_leading(search.symlinks, tops, {own_env, *found.read_only, *found.closed}))
    if len(found.all()) > _GUARD_LIMIT:
        raise JailError(
            f"{', '.join(tops)}: holds more than {_GUARD_LIMIT:,} repositories, virtual "
            "environments and the like; remove those not needed, or choose a smaller project"
        )
    return found


def _outermost(tops: Iterable[str]) -> list[str]:
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
            path = f"{os.path.realpath(directory)}/{name}"
            if within(path, project) and os.path.lexists(path):
                yield path


def _named(
    worktrees: Iterable[str], tops: list[str], own_env: str, hidden: Iterable[str]
) -> set[str]:
    """What the config of repositories names, of those below ``tops`` and those that hold them.

    A config that a jail has written must not keep the next one from starting, by naming what has
    no place in it or what its own venv is in.
    """
    every = dict.fromkeys([*worktrees, *(w for top in tops for w in repository.around(top))])
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
    return (link for link in symlinks if os.path.realpath(link) in above)


def _folded(name: str) -> str:
    """A name as file systems compare it that make no difference between cases.

    They know more than A to Z: the long s is an s to them, and some overlook the characters that
    have no width (CVE-2014-9390).  A name with anything else in it may be taken for one of ours.
    """
    if name.isascii():
        return name.lower()
    return name.casefold().encode("ascii", "ignore").decode("ascii")


def _known(directory: str, entries: Iterable[os.DirEntry[str]]) -> set[str]:
    """The names in ``directory``; of venvs and repositories as these are written, in any case."""
    names = {entry.name for entry in entries}
    missing = {_folded(name): name for name in _TELLING - names}
    if missing:
        alike = (missing[fold] for name in names if (fold := _folded(name)) in missing)
        names |= {name for name in alike if os.path.lexists(f"{directory}/{name}")}
    return names


def _launcher_of(env: str, tops: list[str]) -> set[str]:
    """The code that is run for another venv.

    Its record may be a forgery, made by a jail that shares the project: it can do no more than
    make parts of the project read-only.
    """
    try:
        return Launcher.of(record.load(env, any_layout=True)).paths_in(tops)
    except UserError:
        return set()  # it does not start either


class _Search:
    """One search; nearest directories first, so that the error names the same place each time."""

    def __init__(self, own_env: str, names: frozenset[str], found: Guards) -> None:
        self._own_env = own_env
        self._names = names
        self.found = found
        #: Directories with a protected ``.git``.
        self.worktrees: list[str] = []
        self.symlinks: list[str] = []

    def run(self, top: str) -> None:
        pending = deque([top])
        while pending:
            self.found.searched += 1
            if self.found.searched > SEARCH_LIMIT:
                raise JailError(
                    f"{top}: has more than {SEARCH_LIMIT:,} directories, too many to search for "
                    "what the jail must not write to; remove some, or choose a smaller project"
                )
            pending += self._look_into(pending.popleft(), top)

    def _look_into(self, directory: str, top: str) -> list[str]:
        """Look through one directory; the directories in it that have to be searched too."""
        entries = self._list(directory, top)
        names = _known(directory, entries)
        is_venv = not names.isdisjoint(_VENV_NAMES)
        if (is_venv or repository.is_bare(directory, names)) and directory != top:
            self._guard_tree(directory, is_venv)
            return []
        if is_venv:
            self.found.read_only |= {f"{top}/{name}" for name in names.intersection(_VENV_PARTS)}
        deeper = []
        for entry in entries:
            # In any case: a jail can make a directory in which ``.GIT`` is ``.git`` (chattr +F).
            if (name := self._protected(entry.name)) is not None:
                self.found.read_only.add(entry.path)
                if name == ".git":
                    self.worktrees.append(directory)
            elif entry.path == self._own_env or entry.name in _NOT_SEARCHED:
                continue
            elif entry.is_dir(follow_symlinks=False):
                deeper.append(entry.path)
            elif entry.is_symlink():
                self.symlinks.append(entry.path)
                if os.path.lexists(entry.path + "/pyvenv.cfg"):
                    self.found.read_only.add(entry.path)
        return deeper

    def _protected(self, name: str) -> str | None:
        """The protected name that a file system may take ``name`` for."""
        spellings = (name.lower(), _folded(name))
        return next((spelling for spelling in spellings if spelling in self._names), None)

    def _list(self, directory: str, top: str) -> list[os.DirEntry[str]]:
        """The entries of a directory; one that is closed to us is noted.

        A jail owns what it made or may change, and could open a directory again that it has closed.
        """
        try:
            with os.scandir(directory) as entries:
                found = list(entries)
            if os.access(directory, os.X_OK):
                return found
        except PermissionError:
            pass
        except OSError:
            return []  # gone meanwhile, or deeper than any path can say
        if directory == top:
            raise JailError(f"{top}: cannot be searched: permission denied; run: chmod u+rwx on it")
        self.found.closed.add(directory)
        return []

    def _guard_tree(self, directory: str, is_venv: bool) -> None:
        self.found.read_only.add(directory)
        paths = VenvPaths(directory)
        if is_venv and os.path.lexists(paths.state):
            self.found.venvs.add(directory)
            self.found.hidden |= {p for p in (paths.state, paths.store) if os.path.lexists(p)}
