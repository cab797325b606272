"""Runs on the host (creator): jails that could write to where a new venv is about to be.

A jail learns when it starts which venvs of its project it must not write to.  One that runs already
would see a new venv as plain files, and could put its own programs in ``venv/bin``.
"""

import os

from venvjail import client
from venvjail.commands import processes as running
from venvjail.creation.project import is_within
from venvjail.errors import JailError, UserError


def make_way(env_dir: str) -> None:
    """End idle jails whose project contains the new ``env_dir``; raise UserError for a busy one."""
    place = os.path.realpath(env_dir)
    for paths in list(running.running()):
        try:
            status = client.status(paths)
        except JailError:
            # It does not tell its project, which may be the directory it is in.
            if is_within(place, os.path.dirname(paths.env)):
                raise
            continue
        if status is None or not status.project or not is_within(place, status.project):
            continue
        if status.entries or status.processes:
            raise UserError(
                f"{env_dir}: programs run in the jail of {paths.env}, which can write there; "
                f"end them first: venvjail stop {paths.env}"
            )
        client.stop(paths)
