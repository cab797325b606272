"""Command line (host): show, stop and remove jails."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from venvjail import client
from venvjail.commands import processes as running
from venvjail.config import file as configfile
from venvjail.config.view import render
from venvjail.errors import UserError
from venvjail.jail import host, policy
from venvjail.layout import VenvPaths
from venvjail.quoting import printable


def show_config(paths: VenvPaths) -> None:
    """Print the effective config as TOML, every value with its origin."""
    home = host.find_home(os.environ.get("HOME", ""))
    click.echo(render(configfile.load(policy.user_config(home), paths.config)), nl=False)


def show_status(paths: VenvPaths | None) -> int:
    """Print the running jails, or that of one venv; 1 when that does not run, else 0."""
    wanted = list(running.running()) if paths is None else [paths]
    found = [status for status in map(client.status, wanted) if status is not None]
    if not found:
        where = "no jail is running" if paths is None else f"no jail of {paths.env} is running"
        click.echo(printable(where))
        return 0 if paths is None else 1
    for status in found:
        click.echo(printable(status.venv))
        rows = {
            "commands": status.commands,
            "processes": status.processes,
            "supervisor": f"pid {status.supervisor}",
            "init": f"pid {status.init}",
            "home": f"{status.home} (new files in {VenvPaths(status.venv).store})",
            "project": status.project or "(only the venv)",
            "tmp": status.tmp,
            "ends": f"{status.linger:g} s after its last process",
        }
        for name, value in rows.items():
            click.echo(printable(f"  {name:<10} {value}"))
    return 0


def show_processes(paths: VenvPaths) -> None:
    """Print the processes of a running jail."""
    status = client.status(paths)
    if status is None:
        click.echo(printable(f"no jail of {paths.env} is running"))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("PID", "JAIL PID"):
        table.add_column(heading, justify="right")
    table.add_column("COMMAND", overflow="ellipsis", no_wrap=True)
    for process in running.processes(status.pid_namespace):
        table.add_row(str(process.pid), str(process.jail_pid), _plain(process.command))
    Console(highlight=False, markup=False).print(table)


def _plain(text: str) -> str:
    return printable(text)


def stop(paths: VenvPaths) -> None:
    """End the jail of a venv."""
    ended = client.stop(paths)
    click.echo(printable(f"{'stopped' if ended else 'not running'}: {paths.env}"))


def remove(paths: VenvPaths, *, ask: bool) -> None:
    """Delete a venv and its private /tmp; asks first on a terminal."""
    if ask and sys.stdin.isatty():
        click.confirm(f"delete {printable(paths.env)} and all that its programs made?", abort=True)
    client.stop(paths)
    with contextlib.suppress(FileNotFoundError):
        tmp = os.readlink(paths.tmp_link)
        if os.path.dirname(tmp) == "/tmp" and os.path.basename(tmp).startswith("dirjail-"):
            _delete(tmp)
    _delete(paths.env)
    click.echo(printable(f"removed: {paths.env}"))


def _delete(directory: str) -> None:
    """Delete a tree that a jail could write to: symlinks are not followed, modes do not stop it."""

    def retry(function: Callable[..., Any], path: str, _error: object) -> None:
        if isinstance(_error, tuple) and isinstance(_error[1], FileNotFoundError):
            return
        for place in (os.path.dirname(path), path):
            if not os.path.islink(place):
                with contextlib.suppress(OSError):
                    os.chmod(place, stat.S_IRWXU)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, onerror=None)
        elif function is not os.rmdir:
            os.unlink(path)

    try:
        shutil.rmtree(directory, onerror=retry)
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(
            f"{error.filename or directory}: {error.strerror}; remove it yourself"
        ) from error
