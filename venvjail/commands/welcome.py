"""Command line (host): what to do next, for someone who typed ``venvjail`` and nothing else."""

from __future__ import annotations

import os
import shlex

import click

from venvjail.bins import NEW_SHELL
from venvjail.nearby import venvs_in
from venvjail.quoting import printable

_MORE = """
  venvjail --help                 all commands
  venvjail doctor                 whether this machine can run a jail, and what to do if not"""


def welcome() -> None:
    """Say how to begin here, or how to go on with the venvs that are in this directory."""
    click.echo("venvjail: Python virtual environments whose programs run in a jail.\n")
    venvs = venvs_in(os.curdir)[:3]
    if not venvs:
        _show("venvjail venv", "make one here, in the directory venv")
        _show("venv/bin/pip install …", "then work as always: all in venv/bin runs in the jail")
        _show("venv/bin/activate-new-shell", "or a new shell in the jail")
    for venv in venvs:
        _show(_typed(venv, "bin/python"), "runs in the jail, as all in that directory")
        _show(_typed(venv, f"bin/{NEW_SHELL}"), "a new shell in the jail")
        _show(f"venvjail log {shlex.quote(venv)}", "what its programs were refused")
    click.echo(_MORE)


def _typed(venv: str, name: str) -> str:
    return shlex.quote(os.path.join(venv, name))


def _show(command: str, meaning: str) -> None:
    click.echo(f"  {printable(command):<30}  {meaning}")
