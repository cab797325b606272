"""Supervisor (host): what git takes for a repository, and which directories its hooks are in.

Whoever writes to a repository's config or hooks runs programs as the user at the next ``git
status``, which many shell prompts run on ``cd``.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection

_MAX_CONFIG = 1024 * 1024
# git-config(1): names of variables in any case; a value may be quoted, a comment may follow.
_HOOKS_PATH = re.compile(rb'(?im)^[ \t]*hookspath[ \t]*=[ \t]*"?([^"#;\r\n]+)')


def is_bare(directory: str, names: Collection[str]) -> bool:
    """Whether git takes ``directory``, which holds ``names``, for a repository without ``.git``.

    is_git_directory() in git's setup.c: HEAD beside objects and refs, which may be elsewhere when
    there is a file ``commondir``.
    """
    if "HEAD" not in names or not ("commondir" in names or {"objects", "refs"} <= set(names)):
        return False
    return not os.path.isdir(f"{directory}/HEAD")


def hook_directories(worktree: str, name: str) -> set[str]:
    """The hooks that ``core.hooksPath`` of ``worktree/NAME`` names in the worktree, as husky does.

    Of ``.husky/_``, whose programs run those one level above, that is ``.husky``.
    """
    if name != ".git":
        return set()
    found = set()
    for value in _HOOKS_PATH.findall(_read(f"{worktree}/.git/config")):
        path = os.path.realpath(os.path.join(worktree, os.fsdecode(value.strip())))
        if os.path.basename(path) == "_":
            path = os.path.dirname(path)
        if path.startswith(worktree + "/") and os.path.isdir(path):
            found.add(path)
    return found


def _read(path: str) -> bytes:
    """The content of a regular file; nothing of what is no such file, or cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with open(fd, "rb") as file:
        return file.read(_MAX_CONFIG) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
