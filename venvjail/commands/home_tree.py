"""Command line (host): draw the home as the jail sees it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import click

from fusefs.rules import Access
from venvjail.commands.explain import hidden_names
from venvjail.layout import VenvPaths
from venvjail.quoting import printable
from venvjail.sight.explanation import HIDDEN, READ_ONLY
from venvjail.sight.sight import Sight

#: Below a directory that is shown whole the tree ends: what is in it is known.
_DEPTH = 8
_ENTRIES = 40


@dataclass(frozen=True)
class _Leaf:
    """A line of the tree: what it says, and the directory that goes on below it, if any."""

    text: str
    below: str | None = None


def draw(paths: VenvPaths, *, everything: bool) -> None:
    """Print the tree; ``everything`` names what is hidden, else it is counted."""
    with Sight.of(paths) as sight:
        home = sight.facts.home
        click.echo(printable(home))
        for line in _lines(sight, home, everything, "", _DEPTH):
            click.echo(line)


def _lines(
    sight: Sight, directory: str, everything: bool, indent: str, depth: int
) -> Iterator[str]:
    leaves = list(_leaves(sight, directory, everything))
    for number, leaf in enumerate(leaves):
        last = number == len(leaves) - 1
        yield f"{indent}{'└── ' if last else '├── '}{leaf.text}"
        if leaf.below is not None and depth:
            deeper = indent + ("    " if last else "│   ")
            yield from _lines(sight, leaf.below, everything, deeper, depth - 1)


def _leaves(sight: Sight, directory: str, everything: bool) -> Iterator[_Leaf]:
    relative = sight.relative(directory)
    if relative is None:
        return
    names = [os.fsdecode(name) for name in sight.inspector.names(os.fsencode(relative))]
    for name in names[:_ENTRIES]:
        yield _leaf(sight, f"{directory}/{name}")
    if len(names) > _ENTRIES:
        yield _Leaf(f"({len(names) - _ENTRIES} more)")
    hidden = hidden_names(directory, names)
    if everything:
        for name in hidden:
            yield _Leaf(_labelled(name, HIDDEN))
    elif hidden:
        yield _Leaf(click.style(f"({len(hidden)} hidden)", fg="red"))


def _leaf(sight: Sight, path: str) -> _Leaf:
    found = sight.explain(path)
    name = os.path.basename(path)
    relative = sight.relative(path)
    if relative is None:
        return _Leaf(_labelled(f"{name}/", f"{found.verdict}, {found.served}: {found.rule}"))
    sighting = sight.inspector.look(os.fsencode(relative))
    if not sighting.is_dir:
        return _Leaf(_labelled(name, found.verdict))
    on_the_way = sighting.access is Access.ANCESTOR or sight.mounts.leads_to_mount(path)
    label = "" if on_the_way and found.verdict == READ_ONLY else found.verdict
    return _Leaf(_labelled(f"{name}/", label), path if on_the_way else None)


def _labelled(name: str, label: str) -> str:
    if not label:
        return printable(name)
    colour = "red" if label.startswith(HIDDEN) else "green"
    return f"{printable(name)}  {click.style(printable(label), fg=colour)}"
