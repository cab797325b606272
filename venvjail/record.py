"""Runs on the host (creator, cli, supervisor): what a venv was created with, ``state.json``.

The record says which programs run unjailed on the user's behalf, so it is believed only when it
is the user's own file in the user's own directory (CVE-2022-31214 was a sandbox that joined
what somebody else had planted).
"""

import json
import os
import shlex
import stat
from typing import Any, NamedTuple

from venvjail.atomic import open_directory, write_file
from venvjail.errors import UserError
from venvjail.layout import VenvPaths

#: The layout that this venvjail reads and writes.
VERSION = 1
_MAX_SIZE = 1024 * 1024
_LISTS = ("roots", "entry_roots")


class Record(NamedTuple):
    """One venv's facts.  Paths are absolute; undecodable bytes are surrogate escapes (PEP 383).

    No dataclass: a command that starts the jail reads this, and dataclasses takes 6 ms to import.
    """

    #: The venv's real path at creation.
    venv: str
    #: The interpreter the venv is made of, for example ``/usr/bin/python3.11``.
    base_python: str
    #: Its ``sys.base_prefix``, which the jail must see.
    base_prefix: str
    #: The interpreter that has venvjail's dependencies and runs the supervisor.
    python: str
    #: Directories to put on that interpreter's ``sys.path``: venvjail, fusefs, what they import.
    roots: tuple[str, ...]
    #: Directories for the entries, which import only venvjail and the standard library.
    entry_roots: tuple[str, ...]
    #: The name that the prompt shows in parentheses.
    prompt: str


def save(record: Record) -> None:
    """Write the record of ``record.venv``.  Raises OSError."""
    values = {"version": VERSION, **record._asdict()}
    text = json.dumps(values, indent=2, ensure_ascii=True) + "\n"
    write_file(VenvPaths(record.venv).record, text.encode("ascii"), 0o600)


def load(env_dir: str) -> Record:
    """The record of the venv at ``env_dir``.

    Raises UserError if there is none, another user's, one by a newer venvjail or a damaged one,
    or if the venv was moved: its entries name the old place.
    """
    record = read(env_dir)
    if os.path.realpath(record.venv) != os.path.realpath(env_dir):
        raise UserError(
            f"{env_dir}: was moved here from {record.venv}, the path its programs "
            f"name; move it back or make it anew: {_again('--clear', env_dir)}"
        )
    return record


def read(env_dir: str) -> Record:
    """The record in the venv at ``env_dir``, which may have been moved or copied since.

    Raises UserError like :func:`load`.
    """
    return _parse(env_dir, _read(env_dir))


def check_state(env_dir: str) -> None:
    """Raise UserError unless ``env_dir`` has a state directory of the user's own.

    Only this says that a directory was made by venvjail when its record is damaged or gone.
    """
    os.close(_open_state(env_dir))


def _open_state(env_dir: str) -> int:
    paths = VenvPaths(env_dir)
    try:
        state = open_directory(paths.state)
    except OSError as error:
        raise _not_ours(env_dir) from error
    try:
        _check_private(state, paths.state)
    except BaseException:
        os.close(state)
        raise
    return state


def _read(env_dir: str) -> bytes:
    paths = VenvPaths(env_dir)
    state = _open_state(env_dir)
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(os.path.basename(paths.record), flags, dir_fd=state)
    except FileNotFoundError as error:
        raise UserError(
            f"{env_dir}: was not created completely; run: {_again('--clear', env_dir)}"
        ) from error
    except OSError as error:
        raise UserError(f"{paths.record}: {error.strerror}") from error
    finally:
        os.close(state)
    with open(fd, "rb") as file:
        _check_private(fd, paths.record)
        return file.read(_MAX_SIZE)


def _check_private(fd: int, path: str) -> None:
    status = os.fstat(fd)
    if status.st_uid != os.geteuid():
        raise UserError(f"{path}: belongs to another user (uid {status.st_uid}): not trusted")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UserError(f"{path}: others can write to it; run: chmod go-w {shlex.quote(path)}")


def _not_ours(env_dir: str) -> UserError:
    return UserError(f"{env_dir}: is not a venvjail environment; create one with: venvjail ENV_DIR")


def _again(option: str, env_dir: str) -> str:
    return f"venvjail {option} {shlex.quote(env_dir)}"


def _parse(env_dir: str, raw: bytes) -> Record:
    path = VenvPaths(env_dir).record
    damaged = UserError(f"{path}: is damaged; run: {_again('--upgrade', env_dir)}")
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise damaged from error
    version = values.pop("version", None) if isinstance(values, dict) else None
    if type(version) is not int or version < 1:
        raise damaged
    if version > VERSION:
        raise UserError(
            f"{env_dir}: was made by a newer venvjail (layout {version}, this one knows "
            f"{VERSION}); upgrade venvjail: pip install --upgrade venvjail"
        )
    try:
        return Record(**_fields(values))
    except (KeyError, TypeError) as error:
        raise damaged from error


def _fields(values: dict[str, object]) -> dict[str, Any]:
    """The fields of a Record, each of its type.  Raises KeyError or TypeError."""
    if values.keys() != set(Record._fields):
        raise KeyError("fields")
    return {name: _typed(name, value) for name, value in values.items()}


def _typed(name: str, value: object) -> str | tuple[str, ...]:
    if name in _LISTS and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if name not in _LISTS and isinstance(value, str):
        return value
    raise TypeError(name)
