"""Command line (host): say what the jail sees at a path, and why."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import click

from venvjail.layout import VenvPaths
from venvjail.quoting import printable
from venvjail.sight.explanation import HIDDEN, Explanation
from venvjail.sight.sight import Sight

_COLOURS = {HIDDEN: "red"}
_NAMED = 12


def explain(paths: VenvPaths, wanted: Sequence[str], *, everything: bool) -> None:
    """Print a paragraph for each path; ``everything`` names the hidden entries of directories."""
    with Sight.of(paths) as sight:
        for number, path in enumerate(wanted):
            if number:
                click.echo()
            for line in _paragraph(sight, sight.explain(path), everything):
                click.echo(line)


def _paragraph(sight: Sight, found: Explanation, everything: bool) -> Iterator[str]:
    verdict = click.style(found.verdict, fg=_COLOURS.get(found.verdict, "green"), bold=True)
    absent = "" if found.there else " (nothing is there now)"
    yield f"{printable(found.path)}: {verdict}{absent}"
    rows = {
        "rule": found.rule,
        "note": found.note,
        "stored": _stored(found),
        "served": found.served,
        "change": found.change,
        **_names(sight, found.path, everything),
    }
    for name, value in rows.items():
        if value is not None:
            yield f"  {name:<7} {printable(value)}"


def _stored(found: Explanation) -> str | None:
    if found.stored == found.path:
        return "on the host, at the same path"
    return found.stored


def _names(sight: Sight, path: str, everything: bool) -> dict[str, str]:
    """What of a directory is shown, where that is not all of it."""
    relative = sight.relative(path)
    if relative is None:
        return {}
    try:
        names = [os.fsdecode(name) for name in sight.inspector.names(os.fsencode(relative))]
    except OSError:
        return {}
    hidden = hidden_names(path, names)
    limit = None if everything else _NAMED
    rows = {"shows": _listed(names, limit) or "nothing"}
    if hidden:
        rows["hides"] = _listed(hidden, None) if everything else f"{len(hidden)} (--all names them)"
    return rows


def hidden_names(path: str, shown: Sequence[str]) -> list[str]:
    """The names in the host's directory ``path`` that are not among ``shown``."""
    try:
        return sorted(set(os.listdir(path)) - set(shown))
    except OSError:
        return []


def _listed(names: Sequence[str], limit: int | None) -> str:
    text = " ".join(map(printable, names[:limit]))
    rest = len(names) - len(names[:limit])
    return f"{text} and {rest} more" if rest else text
