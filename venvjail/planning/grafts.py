"""Supervisor (host): where a bind mount can take the view's place.

Below a directory for which the rules have one answer the kernel can do at native speed what the
view would do.  A graft is a mount: a rename across its border is EXDEV, and the directory itself
cannot be renamed or removed (EBUSY).  So only directories are grafted that programs fill and never
move.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from fusefs.rules import Access, Kind, Rules

#: Directories of the home in which tools keep caches, packages and toolchains, thousands of files
#: each.  Grafted where they are the store's alone and exist when the jail starts.
STORE_DIRECTORIES = (
    ".bun",
    ".cache",
    ".cargo",
    ".conda",
    ".deno",
    ".gradle",
    ".local/lib",
    ".local/share",
    ".local/state",
    ".m2",
    ".npm",
    ".nuget",
    ".nvm",
    ".rustup",
)


class Graft(NamedTuple):
    """Show ``source`` of the host at ``path``, relative to the home."""

    path: str
    source: str
    writable: bool


def find(rules: Rules, home: str, store: str) -> Iterator[Graft]:
    """The grafts for these rules: store-only directories, and allowed ones of mode ``ro``."""
    for path in STORE_DIRECTORIES:
        position = rules.position(os.fsencode(path))
        uniform = position.access is Access.HIDDEN and not position.named_children()
        if uniform and _is_directory(store, path):
            yield Graft(path, f"{store}/{path}", writable=True)
    for rule in rules.rules:
        if rule.kind is not Kind.ALLOW_RO:
            continue
        path = os.fsdecode(rule.path)
        position = rules.position(rule.path)
        uniform = position.rule is rule and not position.named_children()
        if uniform and _is_directory(home, path):
            yield Graft(path, f"{home}/{path}", writable=False)


def _is_directory(top: str, path: str) -> bool:
    """Whether each component of ``path`` below ``top`` is a real directory, not a symlink."""
    for name in path.split("/"):
        top = f"{top}/{name}"
        try:
            if not stat.S_ISDIR(os.lstat(top).st_mode):
                return False
        except OSError:
            return False
    return True
