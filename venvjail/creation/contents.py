"""Runs on the host (creator): the directories of a venv, made, cleared and kept.

Some of what lies here was made in a jail; no path below is reached through a symlink of its.
"""

import contextlib
import os
import re
import sys
from collections.abc import Iterable

from venvjail.atomic import open_directory
from venvjail.bins import NEW_SHELL
from venvjail.layout import VenvPaths
from venvjail.trees import delete_tree

_PRIVATE = 0o700


def make_state(paths: VenvPaths) -> None:
    """The directories that a plain venv does not have.  Raises OSError."""
    os.makedirs(paths.env, exist_ok=True)
    for path in (paths.state, paths.run, paths.store):
        _make(path, _PRIVATE)
    _make(paths.real_bin, 0o755)


def _make(path: str, mode: int) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
    fd = open_directory(path)
    try:
        os.fchmod(fd, mode)
    finally:
        os.close(fd)


def clear_venv(paths: VenvPaths, *, home: bool) -> None:
    """Delete all but what the user would miss: the store, the config, the audit, ``/tmp``.

    With ``home`` the store goes too.

    ``bin`` goes first and the state directory comes next, so that wherever this is interrupted,
    nothing in ``bin`` runs unjailed and the directory is known as venvjail's.  Raises OSError.
    """
    _remove(paths.bin)
    kept = {os.path.basename(paths.state)}
    if os.path.isdir(paths.state) and not home:
        kept.add(os.path.basename(paths.store))
    _make(paths.state, _PRIVATE)
    for name in os.listdir(paths.env):
        if name not in kept:
            _remove(os.path.join(paths.env, name))
    for path in (paths.real_bin, paths.record, os.path.join(paths.state, NEW_SHELL)):
        _remove(path)


def _remove(path: str) -> None:
    if os.path.islink(path) or not os.path.isdir(path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    else:
        delete_tree(path)


def remove_commands(paths: VenvPaths, names: Iterable[str]) -> None:
    """Delete commands of the real bin, links as such: the jail may have put others' names there."""
    fd = open_directory(paths.real_bin)
    try:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=fd)
    finally:
        os.close(fd)


def other_pythons(paths: VenvPaths) -> list[str]:
    """Versions of Python, ``3.11``, for which packages lie in the venv that this one passes by."""
    try:
        names = os.listdir(os.path.join(paths.env, "lib"))
    except OSError:
        return []
    found = (re.fullmatch(r"python(3\.\d+)", name) for name in names)
    own = "{}.{}".format(*sys.version_info)
    versions = {match[1] for match in found if match} - {own}
    return sorted(version for version in versions if _has_packages(paths, version))


def _has_packages(paths: VenvPaths, version: str) -> bool:
    try:
        names = os.listdir(os.path.join(paths.env, "lib", f"python{version}", "site-packages"))
    except OSError:
        return False
    return any(not name.startswith(("pip", "setuptools", "_")) for name in names)
