"""Command line (host): delete a venv, a damaged or moved one too."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys

import click

from venvjail import client
from venvjail.commands import processes as running
from venvjail.errors import JailError, UserError
from venvjail.layout import VenvPaths
from venvjail.planning import host
from venvjail.planning.plan import within
from venvjail.quoting import printable
from venvjail.record import check_state, read
from venvjail.trees import delete_tree


def remove(env_dir: str, *, ask: bool) -> None:
    """Delete the venv ``env_dir`` and its private ``/tmp``; asks first on a terminal.

    Raises UserError where there is no venv of the user's, or not all of it could be deleted.
    """
    paths = VenvPaths(os.path.realpath(env_dir))
    check_state(paths.env)
    if within(host.find_home(os.environ.get("HOME", "")), paths.env):
        raise UserError(f"{env_dir}: contains your home; delete {paths.state} yourself")
    if ask and sys.stdin.isatty():
        click.confirm(f"delete {printable(paths.env)} and all that its programs made?", abort=True)
    _stop(paths)
    tmp = _own_tmp(paths)
    if tmp is not None:
        _delete(tmp)
    # Its state is what tells a venv: what is left of an interrupted removal can be removed again.
    _delete(paths.env, last=os.path.basename(paths.state))
    click.echo(printable(f"removed: {paths.env}"))


def _stop(paths: VenvPaths) -> None:
    """End the jail; one that cannot be reached may only be passed over when it does not run."""
    try:
        client.stop(paths)
    except JailError:
        if paths.env in running.running():
            raise


def _own_tmp(paths: VenvPaths) -> str | None:
    """The venv's ``/tmp/dirjail-XXXXXX``; None when there is none or another venv has it.

    A copy of a venv points to the original's, and so may a venv whose record cannot be read.
    """
    try:
        tmp = os.readlink(paths.tmp_link)
        status = os.lstat(tmp)
    except OSError:
        return None
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    if not ours or os.path.dirname(tmp) != "/tmp" or not tmp.startswith("/tmp/dirjail-"):
        return None
    return None if _used_elsewhere(tmp, paths) else tmp


def _used_elsewhere(tmp: str, paths: VenvPaths) -> bool:
    others = running.running()
    with contextlib.suppress(UserError):  # damaged: the running jails are all that is known
        others.add(read(paths.env).venv)
    others.discard(paths.env)
    return any(_tmp_of(other) == tmp for other in others)


def _tmp_of(env: str) -> str | None:
    try:
        return os.readlink(VenvPaths(env).tmp_link)
    except OSError:
        return None


def _delete(directory: str, *, last: str | None = None) -> None:
    try:
        delete_tree(directory, last=last)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.EXDEV, errno.EBUSY):
            reason = "a file system is mounted there"
        where = f"{directory}: {os.fsdecode(error.filename)}" if error.filename else directory
        raise UserError(f"{where}: {reason}; put that right and remove the venv again") from error
