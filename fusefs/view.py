"""The view: one file system with ``home/`` and ``proc/`` at its root."""

from __future__ import annotations

import errno
import os
import resource
import stat
from typing import NamedTuple

from fusefs.home import Home
from fusefs.mounts import Mounts
from fusefs.nodes import ROOT_ID, Node, NodeTable
from fusefs.proc import Proc, ProcRules
from fusefs.rules import Rules
from fusefs.tree import Attributes, Entry, Tree

_RESERVED_DESCRIPTORS = 64


class ViewSettings(NamedTuple):
    """What a view shows.

    ``home`` and ``store`` are absolute host paths of existing directories.  ``never`` are
    absolute host paths that no symlink, bind mount or hard link makes visible: state directories,
    the store, ``~/.dirjailconfig``.
    """

    home: bytes
    store: bytes
    rules: Rules = Rules()
    never: tuple[bytes, ...] = ()
    proc: ProcRules = ProcRules()


class Budget(NamedTuple):
    """How many inodes may keep a descriptor, and how many files and directories may be open.

    Each may take two descriptors: an open file has its inode's and its own, an open directory one
    of each layer, and inodes that lost their name are counted apart from the others.
    """

    inodes: int
    files: int
    directories: int

    @classmethod
    def of_limit(cls) -> Budget:
        """From the soft RLIMIT_NOFILE of this process, leaving some for its other work."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            soft = 1 << 20
        usable = max(soft - _RESERVED_DESCRIPTORS, 32)
        return cls(min(usable // 8, 1 << 14), files=usable // 4, directories=usable // 8)


def raise_descriptor_limit() -> None:
    """Raise the soft limit of open files to the hard one; to be called before `Operations`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class View(Tree):
    """The root directory and what hangs below it."""

    def __init__(self, settings: ViewSettings, table: NodeTable, mounts: Mounts) -> None:
        self.root = Node(self, stat.S_IFDIR, None, b"")
        table.add(self.root, ROOT_ID)
        self.home = Home(table, mounts, self.root, settings.home, settings.store)
        self.home.backing.replace_rules(settings.rules, settings.never)
        self.proc = Proc(table, self.root, settings.proc)
        self._nodes: dict[bytes, Node] = {b"home": self.home.root, b"proc": self.proc.root}
        for number, node in enumerate(self._nodes.values(), ROOT_ID + 1):
            table.add(node, number)

    def lookup(self, parent: Node, name: bytes) -> Entry:
        node = self._nodes.get(name)
        if node is None:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        return Entry(node, node.tree.attributes(node))

    def attributes(self, node: Node) -> Attributes:
        # Not those of the home, which may be on a file system that hangs: /proc is beside it.
        shown = self.proc.attributes(self.proc.root)
        return shown._replace(mode=stat.S_IFDIR | 0o555, uid=os.getuid(), gid=os.getgid(), nlink=1)

    def names(self, node: Node) -> list[bytes]:
        return list(self._nodes)
