"""Command line (host): the venvs that the user can have meant."""

from __future__ import annotations

import os
import shlex

from venvjail.errors import UserError
from venvjail.layout import VenvPaths

_MOST = 3


def venvs_in(directory: str) -> list[str]:
    """The names of the venvs in ``directory`` that venvjail has made, sorted."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    return [name for name in names if os.path.isdir(VenvPaths(f"{directory}/{name}").state)]


def refuse_unknown(typed: str) -> None:
    """Raise UserError where ``typed`` is no venv, and there are some beside where it would be."""
    if os.path.isdir(VenvPaths(typed).state):
        return
    directory = os.path.dirname(typed.rstrip("/"))
    found = venvs_in(directory or os.curdir)[:_MOST]
    if found:
        shown = ", ".join(shlex.quote(os.path.join(directory, name)) for name in found)
        raise UserError(f"{typed}: is not a venvjail environment; did you mean {shown}?")
