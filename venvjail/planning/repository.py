"""Supervisor (host): what git takes for a repository, and what of its worktree it trusts.

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
_MAX_CONFIGS = 10  # as deep as git follows includes; config.c
# git-config(1): a variable stands on a line of its own or behind its section, in any case;
# its value may be quoted, a comment may follow.
_VARIABLE = rb'(?im)^[ \t]*(?:\[.*\])?[ \t]*%b[ \t]*=[ \t]*"?([^"#;\r\n\0]+)'
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


def named_by_config(worktree: str, name: str) -> set[str]:
    """What of ``worktree`` the config of its repository ``NAME`` names, for git to read or run.

    The directory of ``core.hooksPath``, as husky has one, and config files that are included.  What
    lies outside of the worktree is not read: a jail may have written the config.
    """
    if name != ".git":
        return set()
    found = set()
    pending = [_config_of(worktree)]
    for file in itertools.islice(_growing(pending), _MAX_CONFIGS):
        text = _read(file)
        found |= _hook_directories(worktree, text)
        included = set(_included(worktree, file, text)) - found
        found |= included
        pending += included
    return found


def _config_of(worktree: str) -> str:
    """The config behind ``.git``, which is a file in a submodule and in a linked worktree.

    gitrepository-layout(5), git-worktree(1).
    """
    git = f"{worktree}/.git"
    pointer = _read(git)
    if pointer.startswith(b"gitdir:"):
        git = os.path.join(worktree, os.fsdecode(pointer.partition(b":")[2].strip()))
        git = os.path.join(git, os.fsdecode(_read(f"{git}/commondir").strip()))
    return f"{git}/config"


def _growing(files: list[str]) -> Iterator[str]:
    """Those that are added meanwhile, too."""
    while files:
        yield files.pop()


def _hook_directories(worktree: str, text: bytes) -> set[str]:
    """Of ``.husky/_``, whose programs run those one level above, that is ``.husky``."""
    found = set()
    for value in _HOOKS_PATH.findall(text):
        path = os.path.realpath(os.path.join(worktree, os.fsdecode(value.strip())))
        if os.path.basename(path) == "_":
            path = os.path.dirname(path)
        if path.startswith(worktree + "/") and os.path.isdir(path):
            found.add(path)
    return found


def _included(worktree: str, file: str, text: bytes) -> Iterator[str]:
    """``include.path`` and ``includeIf.*.path``, relative to the file that they are in."""
    for value in _INCLUDED.findall(text):
        path = os.path.expanduser(os.fsdecode(value.strip()))
        path = os.path.realpath(os.path.join(os.path.dirname(file), path))
        if path.startswith(worktree + "/") and os.path.isfile(path):
            yield path


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
