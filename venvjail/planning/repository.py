"""Supervisor (host): what git takes for a repository, and what its config has git read or run.

Whoever writes to a repository's config or hooks runs programs as the user at the next ``git
status``, which many shell prompts run on ``cd``.
"""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Collection, Iterator

_MAX_CONFIG = 1024 * 1024
_TRIES = 100
_MAX_CONFIGS = 10  # as deep as git follows includes; config.c
# git-config(1): a variable stands on a line of its own or behind its section, in any case;
# its value may be quoted, a comment may follow.  No two parts that match blanks meet: a jail may
# have written a million of them, to be divided between the two in as many ways.
_VARIABLE = rb'(?im)^[ \t]*(?:\[.*\][ \t]*)?%b[ \t]*=[ \t]*"?([^"#;\r\n\0]+)'
_HOOKS_PATH = re.compile(_VARIABLE % b"hookspath")
_INCLUDED = re.compile(_VARIABLE % b"path")


def is_bare(directory: str, names: Collection[str]) -> bool:
    """Whether git takes ``directory``, which holds ``names``, for a repository without ``.git``.

    is_git_directory() in git's setup.c: HEAD beside objects and refs, which may be elsewhere when
    there is a file ``commondir``.
    """
    if "HEAD" not in names or not ("commondir" in names or {"objects", "refs"} <= set(names)):
        return False
    return not os.path.isdir(f"{directory}/HEAD")


def named_by_config(worktree: str, tops: Collection[str]) -> set[str]:
    """What lies strictly below one of ``tops`` and the config of a repository names.

    The directory of ``core.hooksPath``, as husky has one, and config files that are included; what
    git(1) reads or runs.  It may be outside of the worktree: hooks that several repositories share.
    Files elsewhere are not read: a jail may have written the config.
    """
    found: set[str] = set()
    pending = _configs_of(worktree)
    for file in itertools.islice(_growing(pending), _MAX_CONFIGS):
        text = _read(file)
        found |= {path for path in _hook_directories(worktree, text) if _is_below(path, tops)}
        included = {path for path in _included(file, text) if _is_below(path, tops)} - found
        found |= included
        pending += included
    return found


def around(top: str) -> Iterator[str]:
    """The worktrees that the directory ``top`` lies in, whose repositories are not below it.

    In one repository for many projects husky is set up from the directory of one of them:
    ``core.hooksPath = app/.husky``.
    """
    directory = top
    while directory != "/":
        directory = os.path.dirname(directory)
        if os.path.lexists(f"{directory}/.git"):
            yield directory


def real(path: str) -> str:
    """os.path.realpath(), which fails where a symlink on the way is replaced while it looks.

    A program in a jail may do that all the time; then the path stays as it is.
    """
    for _ in range(_TRIES):
        try:
            return os.path.realpath(path)
        except OSError:
            continue
    return path


def _is_below(path: str, tops: Collection[str]) -> bool:
    return any(path.startswith(f"{top}/") for top in tops)


def _configs_of(worktree: str) -> list[str]:
    """The config files behind ``.git``, which is a file in a submodule and in a linked worktree.

    Or those of ``worktree`` itself, which is a repository then.  gitrepository-layout(5),
    git-worktree(1).
    """
    git = own = f"{worktree}/.git"
    if not os.path.lexists(git):
        git = own = worktree
    pointer = _read(git)
    if pointer.startswith(b"gitdir:"):
        own = os.path.join(worktree, os.fsdecode(pointer.partition(b":")[2].strip()))
        git = os.path.join(own, os.fsdecode(_read(f"{own}/commondir").strip()))
    return [f"{own}/config.worktree", f"{git}/config"]


def _growing(files: list[str]) -> Iterator[str]:
    """Those that are added meanwhile, too."""
    while files:
        yield files.pop()


def _hook_directories(worktree: str, text: bytes) -> Iterator[str]:
    """Of ``.husky/_``, whose programs run those one level above, that is ``.husky``.

    Not one that the worktree is, or is in: nothing could be worked at any more.
    """
    for value in _HOOKS_PATH.findall(text):
        path = _resolved(worktree, value)
        if os.path.basename(path) == "_":
            path = os.path.dirname(path)
        if os.path.isdir(path) and not f"{worktree}/".startswith(f"{path}/"):
            yield path


def _included(file: str, text: bytes) -> Iterator[str]:
    """``include.path`` and ``includeIf.*.path``, relative to the file that they are in."""
    for value in _INCLUDED.findall(text):
        path = _resolved(os.path.dirname(file), value)
        if os.path.isfile(path):
            yield path


def _resolved(directory: str, value: bytes) -> str:
    path = os.path.expanduser(os.fsdecode(value.strip()))
    return real(os.path.join(directory, path))


def _read(path: str) -> bytes:
    """The content of a regular file; nothing of what is no such file, or cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):  # ValueError: NUL in a path that a jail has written
        return b""
    try:
        return os.read(fd, _MAX_CONFIG) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    finally:
        os.close(fd)
