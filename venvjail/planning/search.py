"""Supervisor (host): the walk through the writable directories for what has to be guarded.

It must not be led astray by a jail that ran before: it follows no symlinks, takes a directory that
cannot be listed for one to be guarded, and gives up, aloud, rather than leave some out.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from venvjail.errors import JailError
from venvjail.layout import VenvPaths
from venvjail.planning import repository

#: Directories that hold thousands of others, made by programs that often run in the jail.
_NOT_SEARCHED = frozenset({"__pycache__", "node_modules", "site-packages", ".tox", ".nox"})
#: More directories than this are not searched (it takes some seconds), and no jail is started.
LIMIT = 100_000

_VENV_NAMES = frozenset({"pyvenv.cfg", ".venvjail"})
#: Names that tell a directory for a venv or a repository, by what they are in lower case.
_TELLING = {name.lower(): name for name in (*_VENV_NAMES, "HEAD", "commondir", "objects", "refs")}
#: What the host runs and reads of a venv, for one that cannot be read-only as a whole.
_VENV_PARTS = ("bin", "lib", "lib64", "pyvenv.cfg")


class Look(NamedTuple):
    """What one directory adds to a search: the same until a name in it changes."""

    deeper: tuple[str, ...]
    """Directories in it that have to be searched too."""
    read_only: tuple[str, ...]
    """To be read-only, existing ones."""
    symlinks: tuple[str, ...]
    hidden: tuple[str, ...]
    """Where it is a venv that venvjail has made: its state directory and its store."""
    is_repository: bool
    """Whether it has a protected ``.git``, or is a repository without one."""


class Walk:
    """What was found below the writable directories; real paths."""

    def __init__(self) -> None:
        #: Paths to be read-only, existing ones.
        self.read_only: set[str] = set()
        self.symlinks: list[str] = []
        #: Directories that git takes for a worktree, or for a repository without one.
        self.repositories: list[str] = []
        #: State directories and stores of other venvs.
        self.hidden: set[str] = set()
        #: Other venvs that venvjail has made.
        self.venvs: set[str] = set()
        #: Directories that could not be looked into; they have to be read-only too.
        self.closed: set[str] = set()
        #: How many directories were searched.
        self.searched = 0

    def add(self, directory: str, look: Look) -> None:
        """Note what was found in ``directory``."""
        self.read_only.update(look.read_only)
        self.symlinks += look.symlinks
        if look.is_repository:
            self.repositories.append(directory)
        if look.hidden:
            self.hidden.update(look.hidden)
            self.venvs.add(directory)


def walk(tops: Iterable[str], look: Callable[[str, bool], Look]) -> Walk:
    """Search the directories ``tops``, none of them below another, and all below them.

    ``look`` is an `Eye`, or answers as one.  Nearest directories come first, so that the error
    names the same place each time.  Raises JailError where not all can be searched.
    """
    found = Walk()
    for top in tops:
        pending = deque([top])
        while pending:
            found.searched += 1
            if found.searched > LIMIT:
                raise JailError(
                    f"{top}: has more than {LIMIT:,} directories, too many to search for "
                    "what the jail must not write to; remove some, or choose a smaller project"
                )
            directory = pending.popleft()
            try:
                seen = look(directory, directory == top)
            except PermissionError:
                if directory == top:
                    raise JailError(
                        f"{top}: cannot be searched: permission denied; run: chmod u+rwx on it"
                    ) from None
                found.closed.add(directory)
            except OSError:
                continue  # gone meanwhile, or deeper than any path can say
            else:
                found.add(directory, seen)
                pending += seen.deeper
    return found


class Eye:
    """Looks into one directory at a time, for the jail of the venv ``own_env``.

    ``names`` are the names that are protected wherever they stand, in lower case.
    """

    def __init__(self, own_env: str, names: frozenset[str]) -> None:
        self._own_env = own_env
        self._names = names
        self._special = names.union(_TELLING)

    def __call__(self, directory: str, is_top: bool) -> Look:
        """What is in ``directory``; OSError where it cannot be listed.

        PermissionError where it is closed to us.  A jail owns what it made or may change, and could
        open a directory again that it has closed.
        """
        with os.scandir(directory) as listing:
            entries = list(listing)
        if not os.access(directory, os.X_OK):
            raise PermissionError
        # Quickly, for most names are not.
        special = [e for e in entries if not e.name.isascii() or e.name.lower() in self._special]
        telling = _telling(directory, special)
        protected = {e.name: name for e in special if (name := self._protected(e.name)) is not None}
        is_venv = not telling.isdisjoint(_VENV_NAMES)
        is_bare = repository.is_bare(directory, telling)
        is_repository = is_bare or ".git" in protected.values()
        if not is_top and (is_venv or is_bare):
            return Look((), (directory,), (), _own_places(directory), is_repository)
        read_only = []
        if is_venv:
            names = telling.union(entry.name for entry in entries)
            read_only = [f"{directory}/{name}" for name in _VENV_PARTS if name in names]
        deeper, symlinks = [], []
        for entry in entries:
            name = entry.name
            if name in protected:
                read_only.append(entry.path)
            elif name in _NOT_SEARCHED or entry.path == self._own_env:
                continue
            elif entry.is_dir(follow_symlinks=False):
                deeper.append(entry.path)
            elif entry.is_symlink():
                symlinks.append(entry.path)
        return Look(tuple(deeper), tuple(read_only), tuple(symlinks), (), is_repository)

    def _protected(self, name: str) -> str | None:
        """The protected name that a file system may take ``name`` for.

        In any case: a jail can make a directory in which ``.GIT`` is ``.git`` (chattr +F).
        """
        spellings = (name.lower(), _folded(name))
        return next((spelling for spelling in spellings if spelling in self._names), None)


def _folded(name: str) -> str:
    """A name as file systems compare it that make no difference between cases.

    They know more than A to Z: the long s is an s to them, and some overlook the characters that
    have no width (CVE-2014-9390).  A name with anything else in it may be taken for one of ours.
    """
    if name.isascii():
        return name.lower()
    return name.casefold().encode("ascii", "ignore").decode("ascii")


def _telling(directory: str, entries: Iterable[os.DirEntry[str]]) -> set[str]:
    """The names in ``directory`` of venvs and repositories, written as these are, in any case."""
    folds = {_folded(entry.name) for entry in entries}
    names = (name for fold, name in _TELLING.items() if fold in folds)
    return {name for name in names if os.path.lexists(f"{directory}/{name}")}


def _own_places(env: str) -> tuple[str, ...]:
    """The state directory and the store of a venv that venvjail has made; of another, nothing."""
    paths = VenvPaths(env)
    if not os.path.lexists(paths.state):
        return ()
    return tuple(path for path in (paths.state, paths.store) if os.path.lexists(path))
