"""Supervisor (host): hard links by which a jail could still write to a file that is guarded now.

A jail that makes ``.claude/settings.json`` is told of, and the next one finds it read-only; but a
second name that it has given to the file would be as writable as before, after the user has looked.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Collection, Iterator

#: So many files of one guarded directory are looked at.
_MOST_FILES = 10_000
#: What of a repository names programs.  Objects are left: their clones share them, and git knows
#: them by their content.
_OF_REPOSITORY = ("config", "config.worktree", "hooks")


def of(guarded: Collection[str], tops: Collection[str], own_env: str) -> set[str]:
    """The other names, below ``tops``, of files that are ``guarded`` or in such a directory.

    Virtual environments are left out: installers link all their files from a cache.
    """
    linked = {_identity(s) for path in guarded for s in _files(path) if s.st_nlink > 1}
    if not linked:
        return set()
    numbers = {inode for _, inode in linked}
    return {
        entry.path
        for top in tops
        for entry in _below(top, {own_env, *guarded})
        if entry.inode() in numbers
        and (status := _status(entry.path)) is not None
        and _identity(status) in linked
    }


def _files(path: str) -> Iterator[os.stat_result]:
    # A symlink is guarded itself; what it leads to is guarded where that is.
    if os.path.islink(path) or os.path.lexists(f"{path}/pyvenv.cfg"):
        return
    is_repository = os.path.lexists(f"{path}/HEAD")
    tops = [f"{path}/{name}" for name in _OF_REPOSITORY] if is_repository else [path]
    for top in tops:
        paths = itertools.islice((entry.path for entry in _below(top, ())), _MOST_FILES)
        for file in (top, *paths):
            status = _status(file)
            if status is not None and stat.S_ISREG(status.st_mode):
                yield status


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None  # gone meanwhile


def _below(top: str, without: Collection[str]) -> Iterator[os.DirEntry[str]]:
    """What is no directory below ``top``, but for what is in ``without``."""
    pending = [top]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                found = [entry for entry in entries if entry.path not in without]
        except OSError:
            continue  # closed to us, and guarded as a whole; or gone meanwhile
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            else:
                yield entry


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
