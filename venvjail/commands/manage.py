"""Command line (host): show and stop jails."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable

import click

from venvjail import client
from venvjail.commands import processes as running
from venvjail.commands.columns import lines, terminal_width
from venvjail.config import file as configfile
from venvjail.config.view import render
from venvjail.errors import JailError
from venvjail.layout import VenvPaths
from venvjail.planning import host, policy
from venvjail.quoting import printable


def show_config(paths: VenvPaths) -> None:
    """Print the effective config as TOML, every value with its origin."""
    home = host.find_home(os.environ.get("HOME", ""))
    click.echo(render(configfile.load(policy.user_config(home), paths.config)), nl=False)


def show_status(paths: VenvPaths | None) -> int:
    """Print the running jails, or that of one venv; 1 when that does not run, else 0."""
    if paths is None:
        found = sorted(running.supervisors(), key=lambda supervisor: supervisor.paths.env)
        shown = [_show_jail(supervisor) for supervisor in found]
        if not any(shown):
            click.echo("no jail is running")
        return 0
    status = client.status(paths)
    if status is None:
        click.echo(printable(f"no jail of {paths.env} is running"))
        return 1
    _show_status(status)
    return 0


def _show_jail(supervisor: running.Supervisor) -> bool:
    """Print one of all jails; one in trouble must not keep the others from being shown.

    False where there is nothing to be shown of it: it is about to start, or to end.
    """
    env = supervisor.paths.env
    try:
        status = client.status(supervisor.paths)
    except JailError as error:
        _show_trouble(env, str(error))
        return True
    if status is not None and status.supervisor == supervisor.pid:
        _show_status(status)
        return True
    if not supervisor.is_orphaned:
        return False
    _show_trouble(
        env,
        f"still runs (supervisor pid {supervisor.pid}), but its venv was deleted or moved; "
        f"end it: venvjail stop {shlex.quote(env)}",
    )
    return True


def _show_trouble(env: str, what: str) -> None:
    click.echo(printable(env))
    click.echo(printable(f"  {what}"))


def _show_status(status: client.Status) -> None:
    click.echo(printable(status.venv))
    rows = {
        "commands": len(status.entries),
        "processes": status.processes,
        "supervisor": f"pid {status.supervisor}",
        "init": f"pid {status.init}",
        "home": f"{status.home} (new files in {VenvPaths(status.venv).store})",
        "project": status.project or "(only the venv)",
        "tmp": status.tmp,
        "network": status.network,
        **({"memory": status.memory} if status.memory else {}),
        "ends": f"{status.linger:g} s after its last process",
    }
    for name, value in rows.items():
        click.echo(printable(f"  {name:<10} {value}"))
    for notice in status.notices:
        click.echo(printable(f"  {'config':<10} {notice}"))


def show_processes(paths: VenvPaths) -> None:
    """Print the processes of a running jail."""
    status = client.status(paths)
    if status is None:
        click.echo(printable(f"no jail of {paths.env} is running"))
        return
    rows = [("PID", "JAIL PID", "COMMAND")]
    for process in running.processes(status.init, status.entries):
        rows.append((str(process.pid), str(process.jail_pid), printable(process.command)))
    for line in lines(rows, right=("PID", "JAIL PID"), width=terminal_width()):
        click.echo(line)


def stop(env_dir: str, find: Callable[[str], VenvPaths]) -> None:
    """End the jail of a venv, and those of venvs that were at its path and are not any more.

    ``find`` gives the paths of an existing venv, or raises UserError.
    """
    env = os.path.realpath(env_dir)
    ended = running.end_orphans(env)
    if not ended or os.path.isdir(VenvPaths(env).state):
        paths = find(env_dir)
        env = paths.env
        ended = client.stop(paths) or ended
    click.echo(printable(f"{'stopped' if ended else 'not running'}: {env}"))
