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

from venvjail import __version__
from venvjail.atomic import open_directory, write_file
from venvjail.errors import UserError
from venvjail.layout import VenvPaths

#: The layout that this venvjail reads and writes.
VERSION = 2
_MAX_SIZE = 1024 * 1024
#: Fields that the first layout lacked.
_SINCE = {"made_by": "", "base_link": ""}
_LISTS = ("roots", "entry_roots")


class NewerLayoutError(UserError):
    """The venv was made by a newer venvjail, which may keep there what this one would lose."""


class Record(NamedTuple):
    """One venv's facts.  Paths are absolute; undecodable bytes are surrogate escapes (PEP 383).

    No dataclass: a command that starts the jail reads this, and dataclasses takes 6 ms to import.
    """

    #: The venv's real path at creation.
    venv: str
    #: The venvjail that made it or brought it up to date, for example ``0.1.0``.
    made_by: str
    #: The interpreter the venv is made of, for example ``/usr/bin/python3.11``.
    base_python: str
    #: The path by which the venv's links name it, for example ``/usr/bin/python3``.
    base_link: str
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


def load(env_dir: str, *, any_layout: bool = False) -> Record:
    """The record of the venv at ``env_dir``.

    Raises UserError if there is none, another user's, a damaged one or one by a venvjail that
    wrote another layout, or if the venv was moved: its entries name the old place.

    With ``any_layout`` another layout will do that names the code which is run for the venv: the
    venvjail that wrote it may be there still.
    """
    record = _parse(env_dir, _read(env_dir), any_layout=any_layout)
    if _is_elsewhere(record, env_dir):
        raise moved(env_dir, record.venv)
    return record


def moved_from(env_dir: str) -> str | None:
    """Where the venv at ``env_dir`` was before it was moved or copied; None where it was not.

    None as well for one whose record cannot be read.
    """
    try:
        record = read(env_dir)
    except UserError:
        return None
    return record.venv if _is_elsewhere(record, env_dir) else None


def moved(env_dir: str, former: str) -> UserError:
    """What to say of the venv at ``env_dir`` that was at ``former``."""
    return UserError(
        f"{env_dir}: was moved here from {former}, the path its programs "
        f"name; move it back or make it anew: {_again('--clear', env_dir)}"
    )


def _is_elsewhere(record: Record, env_dir: str) -> bool:
    return os.path.realpath(record.venv) != os.path.realpath(env_dir)


def read(env_dir: str) -> Record:
    """The record in the venv at ``env_dir``, which may have been moved or copied since.

    Raises UserError like :func:`load`.
    """
    return _parse(env_dir, _read(env_dir), any_layout=False)


def refuse_newer(env_dir: str) -> None:
    """Raise NewerLayoutError for a venv by a newer venvjail.

    One that is damaged or not complete is let pass.
    """
    try:
        read(env_dir)
    except NewerLayoutError:
        raise
    except UserError:
        return


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
        _check_above(paths.state)
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
        raise _unreadable(paths, error) from error
    finally:
        os.close(state)
    try:
        with open(fd, "rb") as file:
            _check_private(fd, paths.record)
            return file.read(_MAX_SIZE)
    except OSError as error:  # EIO, also when it is closed
        raise _unreadable(paths, error) from error


def _unreadable(paths: VenvPaths, error: OSError) -> UserError:
    return UserError(f"{paths.record}: {error.strerror}")


def _check_private(fd: int, path: str) -> None:
    status = os.fstat(fd)
    if status.st_uid != os.geteuid():
        raise UserError(f"{path}: belongs to another user (uid {status.st_uid}): not trusted")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise UserError(f"{path}: others can write to it; run: chmod go-w {shlex.quote(path)}")


def _check_above(path: str) -> None:
    """Raise UserError if every user could exchange what is at ``path`` for something else.

    A jailed program can open the user's directories to all, for an accomplice on the machine to
    put a state directory in place that it has made: the record says what runs unjailed.
    """
    directory = os.path.realpath(path)
    while directory != "/":
        directory = os.path.dirname(directory)
        status = os.stat(directory)
        is_open = status.st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH
        if is_open and status.st_uid == os.geteuid():
            raise UserError(
                f"{directory}: every user can write to it, and exchange the venv; "
                f"run: chmod o-w {shlex.quote(directory)}"
            )


def _not_ours(env_dir: str) -> UserError:
    return UserError(f"{env_dir}: is not a venvjail environment; create one with: venvjail ENV_DIR")


def _again(option: str, env_dir: str) -> str:
    return f"venvjail {option} {shlex.quote(env_dir)}"


def _parse(env_dir: str, raw: bytes, *, any_layout: bool) -> Record:
    path = VenvPaths(env_dir).record
    damaged = UserError(f"{path}: is damaged; run: {_again('--upgrade', env_dir)}")
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise damaged from error
    version = values.pop("version", None) if isinstance(values, dict) else None
    if type(version) is not int or version < 1:
        raise damaged
    if version != VERSION and any_layout:
        values = {**_SINCE, **{name: values[name] for name in Record._fields if name in values}}
    elif version != VERSION:
        raise _other_layout(env_dir, version, values.get("made_by"))
    try:
        return Record(**_fields(values))
    except (KeyError, TypeError) as error:
        raise damaged from error


def _other_layout(env_dir: str, version: int, made_by: object) -> UserError:
    by = f"venvjail {made_by}" if isinstance(made_by, str) else f"layout {version}"
    if version > VERSION:
        return NewerLayoutError(
            f"{env_dir}: was made by a newer venvjail ({by}; this is {__version__}); "
            "upgrade venvjail: pip install --upgrade venvjail"
        )
    return UserError(
        f"{env_dir}: was made by an older venvjail ({by}; this is {__version__}); bring it up to "
        f"date, nothing in it is lost: {_again('--upgrade', env_dir)}"
    )


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
