"""Runs on the host (creator): jails that could write to where a new venv is about to be.

A jail learns when it starts which venvs of its project it must not write to.  One that runs already
would see a new venv as plain files, and could put its own programs in ``venv/bin``.
"""

import fcntl
import os
import shlex
import time

from venvjail import client
from venvjail.commands import processes as running
from venvjail.creation.project import is_within
from venvjail.errors import JailError, UserError
from venvjail.layout import VenvPaths

_START_SECONDS = 60.0
#: An idle jail notices within a second that its venv is gone, and ends.
_ORPHAN_SECONDS = 5.0


def await_orphans() -> None:
    """Let idle jails end whose venvs were deleted; raise UserError for one that goes on.

    The config that said where it can write may be gone as well, so each counts.  One at the place
    of the new venv would take that for its own: what guarded it went with the directory.
    """
    deadline = time.monotonic() + _ORPHAN_SECONDS
    for supervisor in list(running.supervisors()):
        while supervisor.is_orphaned:
            if time.monotonic() > deadline:
                env = supervisor.paths.env
                raise UserError(
                    f"programs run in the jail of {env}, a venv that was deleted or moved; "
                    f"end them first: venvjail stop {shlex.quote(env)}"
                )
            time.sleep(0.02)


def make_way(env_dir: str) -> None:
    """End idle jails that can write to the new ``env_dir``; raise UserError for a busy one."""
    place = os.path.realpath(env_dir)
    await_orphans()
    for supervisor in list(running.supervisors()):
        paths = supervisor.paths
        _await_start(paths)
        try:
            status = client.status(paths)
        except JailError:
            # It does not tell its project, which may be the directory it is in.
            if is_within(place, os.path.dirname(paths.env)):
                raise
            continue
        if status is None or status.supervisor != supervisor.pid:
            continue
        if not _writes_to(place, status):
            continue
        if status.entries or status.processes:
            raise UserError(
                f"{env_dir}: programs run in the jail of {paths.env}, which can write there; "
                f"end them first: venvjail stop {paths.env}"
            )
        client.stop(paths)


def claim(paths: VenvPaths) -> None:
    """Mark the directory as a venv, so that jails which start from now on do not write to it.

    Those that started before are made way of once more: between the first look and the mark one
    could have begun.  Raises UserError and OSError.
    """
    made = []
    if not os.path.lexists(paths.pyvenv_cfg):
        for directory in (paths.env, paths.state):
            if not os.path.isdir(directory):
                os.makedirs(directory, mode=0o700 if directory == paths.state else 0o777)
                made.append(directory)
    try:
        make_way(paths.env)
    except BaseException:
        for directory in reversed(made):
            os.rmdir(directory)
        raise


def _writes_to(place: str, status: client.Status) -> bool:
    trees = [*status.writable, *([status.project] if status.project else [])]
    return any(is_within(place, tree) for tree in trees)


def _await_start(paths: VenvPaths) -> None:
    """Wait until a supervisor that is starting listens: it holds the start lock until then."""
    try:
        lock = os.open(paths.run + "/lock", os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    deadline = time.monotonic() + _START_SECONDS
    try:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(0.02)
    finally:
        os.close(lock)
