"""Command line (host): show and hide paths, by editing the venv's config file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import click

from venvjail import client
from venvjail.config.edit import ConfigEdit
from venvjail.errors import UserError
from venvjail.layout import VenvPaths
from venvjail.planning.plan import within
from venvjail.quoting import printable
from venvjail.sight.explanation import HIDDEN, Explanation
from venvjail.sight.sight import Sight

#: The lists that show something outside the home, by the directory it is in.
_LISTS = {"/run": "run", "/dev": "dev", "/proc": "proc"}

_Change = Callable[[Sight, ConfigEdit, Explanation], None]


def allow(paths: VenvPaths, wanted: Sequence[str]) -> None:
    """Let the jail see paths, and say for each what has become of it.

    Raises UserError for what no config can show; nothing is changed then.
    """
    _change(paths, wanted, _allow, "shown")


def hide(paths: VenvPaths, wanted: Sequence[str]) -> None:
    """Hide paths from the jail, and say for each what has become of it."""
    _change(paths, wanted, _hide, "hidden")


def _change(paths: VenvPaths, wanted: Sequence[str], change: _Change, done: str) -> None:
    with Sight.of(paths) as sight:
        edit = ConfigEdit(paths.config, sight.facts.home)
        found = [sight.explain(path) for path in wanted]
        for explanation in found:
            change(sight, edit, explanation)
    if not edit.changed:
        click.echo(f"nothing to change: {done} already")
        return
    edit.save()
    _tell(paths, [explanation.path for explanation in found], done)


def _tell(paths: VenvPaths, changed: list[str], done: str) -> None:
    with Sight.of(paths) as sight:
        for path in changed:
            after = sight.explain(path)
            now = f"{after.verdict} ({after.rule})"
            if not after.there:  # maybe misspelt
                now = f"nothing is there now; {done} as soon as it is"
            click.echo(printable(f"{path}: {now}"))
    notices = client.reload(paths)
    if notices is None:
        click.echo("no jail runs: it counts from the next start")
    elif not notices:
        click.echo("it counts in the running jail from now on")
    for notice in notices or ():
        click.echo(printable(f"venvjail: {notice}"), err=True)


def _allow(sight: Sight, edit: ConfigEdit, found: Explanation) -> None:
    relative = sight.relative(found.path)
    if relative is not None:
        _allow_in_home(sight, edit, found, relative)
        return
    if found.verdict != HIDDEN:
        return
    if edit.remove("filesystem", "hide", found.path):
        return
    section = next((name for top, name in _LISTS.items() if within(found.path, top)), None)
    if found.change is None or section is None:
        raise UserError(f"{found.path}: {found.rule}, and no config can change that")
    value = found.path.removeprefix("/proc/") if section == "proc" else found.path
    edit.add(section, "allow", value)


def _allow_in_home(sight: Sight, edit: ConfigEdit, found: Explanation, relative: str) -> None:
    if found.verdict == HIDDEN and found.change is None:
        raise UserError(f"{found.path}: {found.rule}, and no config can change that")
    edit.remove("home", "hide", relative)
    _refuse_hidden_elsewhere(sight, edit, relative)
    if found.verdict == HIDDEN or not found.there:
        edit.add("home", "allow", relative)


def _refuse_hidden_elsewhere(sight: Sight, edit: ConfigEdit, relative: str) -> None:
    """``hide`` wins over ``allow``: one that stands elsewhere has to be taken out by its author."""
    for item in sight.config.home.hide:
        ours = item.origin.file == sight.facts.paths.config and item.value == relative
        if within(relative, item.value) and not ours:
            raise UserError(
                f"{item.origin}: [home] hide has {item.value}, which wins over allow; "
                "take it out there first"
            )


def _hide(sight: Sight, edit: ConfigEdit, found: Explanation) -> None:
    relative = sight.relative(found.path)
    if relative is not None:
        edit.remove("home", "allow", relative)
        if found.verdict != HIDDEN:
            edit.add("home", "hide", relative)
        return
    for top, section in _LISTS.items():
        value = found.path.removeprefix("/proc/") if section == "proc" else found.path
        if within(found.path, top) and edit.remove(section, "allow", value):
            return
    if within(found.path, "/proc"):
        raise UserError(f"{found.path}: is shown by default, and no config can hide it")
    if not os.path.lexists(found.path):
        raise UserError(f"{found.path}: does not exist; check the spelling")
    if found.verdict != HIDDEN:
        edit.add("filesystem", "hide", found.path)
