"""New rules for a running view, and which of the kernel's memories they make wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fusefs.backing import Backing
from fusefs.merged import HomeNode
from fusefs.nodes import NodeTable
from fusefs.rules import Access, Rules, components

KernelEntry = tuple[int, bytes]
"""A name in a directory, by the directory's number."""


def replace_rules(
    backing: Backing, table: NodeTable, rules: Rules, never: Iterable[bytes]
) -> list[KernelEntry]:
    """Let ``rules`` hold from now on; returns the names whose being there has changed.

    A name that leads to a mount point of the rules is never among them, before and after it is
    shown: forgetting it would unmount what the launcher mounted there.
    """
    nodes = [node for node in table if isinstance(node, HomeNode) and node.attached]
    seen = [node for node in nodes if backing.shown_lower(node) is not None]
    before = backing.rules
    backing.replace_rules(rules, never)
    gone = {node for node in seen if backing.shown_lower(node) is None}
    found: dict[KernelEntry, None] = {}
    for node in gone:
        if node.parent is not None and node.parent not in gone:
            found[node.parent.id, node.name] = None
    root = backing.root
    found.update((entry, None) for entry in _changed(root, before, backing.rules))
    return list(found)


def _changed(root: HomeNode, before: Rules, after: Rules) -> Iterator[KernelEntry]:
    """The first name on the way to each rule that one set of rules hides and the other does not."""
    mentioned = {rule.path for rule in (*before.rules, *after.rules)}
    for path in sorted(mentioned):
        node, old, new = root, before.root, after.root
        for name in components(path):
            old, new = old.child(name), new.child(name)
            if (old.access is Access.HIDDEN) != (new.access is Access.HIDDEN):
                yield node.id, name
                break
            inner = node.children.get(name)
            if inner is None:
                break
            node = inner


def entry_of(root: HomeNode, path: bytes) -> KernelEntry | None:
    """``path`` as the kernel remembers it, ``None`` where it does not know the directory."""
    *above, name = components(path)
    node = root
    for step in above:
        inner = node.children.get(step)
        if inner is None:
            return None
        node = inner
    return node.id, name
