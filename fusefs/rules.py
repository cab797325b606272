"""Which names of a home are shown, and how: pure, frozen, no I/O.

`Rules` turns a list of `Rule` into a tree of names.  Every question about a path is asked at a
`Position` in that tree, reached one name at a time, so that lookup, readdir, create, link and
rename all get the same answer.  The nearest rule on the way down decides, with these exceptions:

* NEVER closes its whole subtree, whatever other rules say.
* HIDE closes its subtree to ALLOW and ALLOW_RO, deeper ones too.  Only a MOUNTPOINT is still
  reachable below a HIDE: the launcher lays the real directory over it, the view itself shows
  nothing there.
* Of two rules for the same path the stricter wins: NEVER, MOUNTPOINT, HIDE, ALLOW_RO, ALLOW.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import NamedTuple


class Kind(enum.Enum):
    """What one rule says about a path and all below it."""

    ALLOW = "allow"
    """Shown read-only; new names are created in the store and appear merged."""
    ALLOW_RO = "allow-ro"
    """Shown read-only; nothing can be created in it."""
    HIDE = "hide"
    """Not shown, even inside an allowed directory."""
    MOUNTPOINT = "mountpoint"
    """Shown as an empty place over which the launcher mounts the real one."""
    NEVER = "never"
    """Not shown, whatever the other rules say, and not through a symlink either."""


class Rule(NamedTuple):
    """One line of policy.

    ``path`` is relative to the home, for example ``b".config/git"``; ``source`` says where it was
    written, for example ``"/home/alice/.dirjailconfig:3"``, for people to read.
    """

    path: bytes
    kind: Kind
    source: str = ""


class Access(enum.Enum):
    """How the host's side of a path is shown."""

    HIDDEN = "hidden"
    """The host's name does not exist here; the store may have it."""
    ANCESTOR = "ancestor"
    """A directory on the way to a visible path: shown with its visible children only."""
    MERGED = "merged"
    """Shown read-only; the store adds names."""
    READ_ONLY = "read-only"
    """Shown read-only; the store adds nothing."""
    MOUNTPOINT = "mountpoint"
    """Shown empty; nothing is read from the host, nothing is created."""


_ACCESS = {
    Kind.ALLOW: Access.MERGED,
    Kind.ALLOW_RO: Access.READ_ONLY,
    Kind.HIDE: Access.HIDDEN,
    Kind.MOUNTPOINT: Access.MOUNTPOINT,
    Kind.NEVER: Access.HIDDEN,
}
_STRICTNESS = (Kind.NEVER, Kind.MOUNTPOINT, Kind.HIDE, Kind.ALLOW_RO, Kind.ALLOW)


class _Branch:
    """A name that some rule mentions, with the names below it that rules mention."""

    __slots__ = ("children", "leads_to_mountpoint", "leads_to_visible", "rule")

    def __init__(self) -> None:
        self.children: dict[bytes, _Branch] = {}
        self.rule: Rule | None = None
        self.leads_to_mountpoint = False
        self.leads_to_visible = False


class Position:
    """A place in the home and how it is shown; ``rule`` decided that, ``None``: the default.

    Places that no rule names have one position in common, since each inode keeps its own.
    """

    __slots__ = ("_branch", "_unnamed", "access", "rule")

    def __init__(self, access: Access, rule: Rule | None, branch: _Branch | None = None) -> None:
        self.access = access
        self.rule = rule
        self._branch = branch
        self._unnamed: Position | None = None

    def child(self, name: bytes) -> Position:
        """The position of ``name``, one component, below this one."""
        if self._branch is None:
            return self
        branch = self._branch.children.get(name)
        if branch is not None:
            return self._below(branch)
        if self._unnamed is None:
            self._unnamed = self._below(None)
        return self._unnamed

    def _below(self, branch: _Branch | None) -> Position:
        if self.rule is None:
            return _from_default(branch)
        kind = self.rule.kind
        if kind is Kind.NEVER:
            return Position(Access.HIDDEN, self.rule)
        if kind is Kind.HIDE:
            return _below_hide(branch, self.rule)
        if branch is None or branch.rule is None:
            return Position(_ACCESS[kind], self.rule, branch)
        return _at(branch, branch.rule)

    def named_children(self) -> frozenset[bytes]:
        """The names directly below that lie on the path of some rule."""
        return frozenset() if self._branch is None else frozenset(self._branch.children)


def _at(branch: _Branch, rule: Rule) -> Position:
    if rule.kind is Kind.HIDE and branch.leads_to_mountpoint:
        return Position(Access.ANCESTOR, rule, branch)
    return Position(_ACCESS[rule.kind], rule, branch)


def _from_default(branch: _Branch | None) -> Position:
    if branch is None:
        return Position(Access.HIDDEN, None)
    if branch.rule is not None:
        return _at(branch, branch.rule)
    access = Access.ANCESTOR if branch.leads_to_visible else Access.HIDDEN
    return Position(access, None, branch)


def _below_hide(branch: _Branch | None, hide: Rule) -> Position:
    if branch is None:
        return Position(Access.HIDDEN, hide)
    if branch.rule is not None and branch.rule.kind in (Kind.NEVER, Kind.MOUNTPOINT):
        return _at(branch, branch.rule)
    access = Access.ANCESTOR if branch.leads_to_mountpoint else Access.HIDDEN
    return Position(access, hide, branch)


class Rules:
    """A frozen set of rules.

    Raises `ValueError` for a path with a ``..`` component.  Empty and ``.`` components are
    ignored; the empty path is the home itself.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules: tuple[Rule, ...] = tuple(rules)
        branches = [_Branch()]
        for rule in self.rules:
            _plant(branches, rule)
        for branch in reversed(branches):  # children come after their parents
            _see_where_it_leads(branch)
        root = branches[0]
        if root.rule is None or _ACCESS[root.rule.kind] is Access.HIDDEN:
            # The home itself always exists: at the least, it is everything's ancestor.
            self.root = Position(Access.ANCESTOR, root.rule, root)
        else:
            self.root = Position(_ACCESS[root.rule.kind], root.rule, root)

    def position(self, path: bytes) -> Position:
        """The position of ``path``, relative to the home; the empty path is the home."""
        position = self.root
        for name in components(path):
            position = position.child(name)
        return position


def components(path: bytes) -> list[bytes]:
    """The names of a relative path; raises `ValueError` for ``..``."""
    names = [name for name in path.split(b"/") if name not in (b"", b".")]
    if b".." in names:
        raise ValueError(f"a path below the home must not contain '..': {path!r}")
    return names


def _plant(branches: list[_Branch], rule: Rule) -> None:
    """Add ``rule`` to the tree whose root is the first of ``branches``; append new branches."""
    branch = branches[0]
    for name in components(rule.path):
        child = branch.children.get(name)
        if child is None:
            child = branch.children[name] = _Branch()
            branches.append(child)
        branch = child
    old = branch.rule
    if old is None or _STRICTNESS.index(rule.kind) < _STRICTNESS.index(old.kind):
        branch.rule = rule


def _see_where_it_leads(branch: _Branch) -> None:
    kind = None if branch.rule is None else branch.rule.kind
    if kind is Kind.NEVER:
        return
    children = branch.children.values()
    branch.leads_to_mountpoint = kind is Kind.MOUNTPOINT or any(
        child.leads_to_mountpoint for child in children
    )
    if kind is None:
        branch.leads_to_visible = any(child.leads_to_visible for child in children)
    elif kind is Kind.HIDE:
        branch.leads_to_visible = branch.leads_to_mountpoint
    else:
        branch.leads_to_visible = True
