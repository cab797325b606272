"""Supervisor (host): what changed in the project while the jail ran that a guard should cover.

The guards are mounts, made when the jail starts.  What appears later has none: the jail may have
made it, to be run by the user outside.  And the kernel takes a mount away when the host replaces
what it covers (an editor saving ``.envrc``, ``git checkout`` of another branch).  Neither can be
prevented; both are said on the user's terminal, once, and the jail ends as soon as nothing runs in
it, so that the next one guards what there is then.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from importlib.machinery import all_suffixes

from venvjail.atomic import write_file
from venvjail.errors import UserError
from venvjail.layout import VenvPaths
from venvjail.planning import guards, search, second_names
from venvjail.planning.decisions import Prepared
from venvjail.planning.filestate import FileStates, states
from venvjail.planning.plan import Facts
from venvjail.quoting import printable
from venvjail.serving.watched import Watched

#: A project with more directories is not searched while a command waits for its end.
QUICK = 1000
_MAX_NAMED = 5
_MAX_UNSAID = 64 * 1024

_Identity = tuple[int, int] | None


class Changes:
    """Compares the project with what it was when the jail started."""

    def __init__(self, prepared: Prepared) -> None:
        facts = prepared.facts
        self._env = facts.paths.env
        self._config = prepared.config
        self._tops = (*((facts.project,) if facts.project else ()), *facts.writable)
        self._searched = guards.outermost(self._tops)
        self._eye = search.Eye(self._env, guards.names(self._config))
        self._watched = Watched(self._searched, self._eye, QUICK)
        self._mounted_on = set(prepared.guards.read_only)
        self._launchers: dict[str, tuple[FileStates, set[str]]] = {}
        """By other venvs, the state of the record and what `guards.launcher_of` said then."""
        self._known = self._mounted_on | set(_namesakes(self._tops))
        self._guarded = {path: _identity(path) for path in _covered(facts)}
        # Grafts are not among them: they go when the rules change, and leave the view.
        covers = (facts.home, *facts.home_aliases, *facts.other_homes, *facts.hide, *self._tops)
        self._mounted = {**{path: _identity(path) for path in covers}, **self._guarded}
        self._lost: set[str] = set()
        self.is_quick = prepared.guards.searched <= QUICK
        """Whether ``appeared`` takes some milliseconds at most."""
        self.stale = False
        """Whether the jail's guards are no longer those that a new jail would have."""

    def replaced(self) -> list[str]:
        """Lines about guarded paths that the host has replaced since the last call; quick."""
        guarded = self._guarded.items()
        lost = [path for path, was in guarded if path in self._lost or _identity(path) != was]
        if not lost:
            return []
        for path in lost:
            del self._guarded[path]
        self._mounted_on.difference_update(lost)
        self.stale = True
        return [
            f"{_named(lost)} was replaced or removed on the host: programs that run in the jail "
            f"could write there until they end (venvjail stop {printable(self._env)})"
        ]

    def laid_open(self, point: str) -> str | None:
        """Why the jail has to end now that nothing is mounted on ``point`` any more, if it has to.

        Not where the host has replaced what was covered, which ``replaced`` tells of.
        """
        if point not in self._mounted:
            return None
        if _is_replaced(point, self._mounted[point]):
            # Remembered, since what is made there next may have the same inode number again.
            self._lost.add(point)
            self.stale = True
            return None
        return (
            f"the jail of {printable(self._env)} was ended, with all that ran in it: an error of "
            f"the file system took the mount away that covered {printable(point)}"
        )

    def appeared(self) -> list[str]:
        """Lines about what a guard would cover and was not there at the last call."""
        try:
            walk = self._watched.walk() if self.is_quick else search.walk(self._searched, self._eye)
            self.is_quick = walk.searched <= QUICK
            found = guards.read_only(walk, self._searched, self._env, self._config)
            self._launchers = {env: self._launcher_of(env) for env in walk.venvs}
            found = found.union(*(paths for _, paths in self._launchers.values()))
            # Of what a mount guards, a program in the jail can make none (EXDEV; link(2)).
            appeared = found - self._mounted_on
            found |= second_names.of(appeared, self._searched, self._env)
        except UserError as error:
            self.is_quick = False
            return [str(error)]
        finally:
            if not self.is_quick:
                self._watched.forget()
        new = found.union(_namesakes(self._tops)) - self._known
        if not new:
            return []
        self._known |= new
        self.stale = True
        return [
            f"appeared while the jail ran: {_named(new)}; your own tools may run what is in there, "
            "look at it first"
        ]

    def _launcher_of(self, env: str) -> tuple[FileStates, set[str]]:
        """As kept in `_launchers`: it takes a look at many paths, and changes with the record."""
        state = states([VenvPaths(env).record])
        known = self._launchers.get(env)
        if known is not None and known[0] == state:
            return known
        return state, guards.launcher_of(env, self._searched)


def _namesakes(tops: Iterable[str]) -> Iterable[str]:
    """What ``python -m venvjail``, typed in one of ``tops``, would run in our place.

    Python looks in the working directory first; not guarded, since it may be a checkout of ours.
    """
    names = [f"venvjail{suffix}" for suffix in ("", *all_suffixes())]
    return (path for top in tops for name in names if os.path.lexists(path := f"{top}/{name}"))


def load_unsaid(paths: VenvPaths) -> list[str]:
    """What the last jail had to say after its last command; it is said once."""
    try:
        with open(_file(paths), encoding="utf-8", errors="replace") as file:
            lines = file.read(_MAX_UNSAID).splitlines()
        os.unlink(_file(paths))
    except OSError:
        return []
    return lines


def save_unsaid(paths: VenvPaths, lines: Iterable[str]) -> None:
    """Leave ``lines`` for the next jail's first command."""
    text = "".join(f"{printable(line)}\n" for line in lines)
    if text:
        with contextlib.suppress(OSError):  # the venv was deleted
            write_file(_file(paths), text.encode("utf-8", "replace"), 0o600)


def _file(paths: VenvPaths) -> str:
    return paths.run + "/notices"


def _covered(facts: Facts) -> Iterable[str]:
    paths = facts.paths
    return (paths.env, paths.bin, paths.pyvenv_cfg, paths.state, paths.store, *facts.guards)


def _identity(path: str) -> _Identity:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_replaced(path: str, was: _Identity) -> bool:
    """Whether something else is there, or nothing; not where the file system cannot tell."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    # The kernel drops the mounts of a name before the name (vfs_unlink() in fs/namei.c).
    return status.st_nlink == 0 or (status.st_dev, status.st_ino) != was


def _named(paths: Iterable[str]) -> str:
    every = sorted(paths)
    names = ", ".join(printable(path) for path in every[:_MAX_NAMED])
    return names + (f" and {len(every) - _MAX_NAMED} more" if len(every) > _MAX_NAMED else "")
