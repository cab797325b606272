"""Runs on the host: what ``state.json`` of a venv says, believed only when it is the user's own.

The record says which programs run unjailed on the user's behalf, so it has to be the user's own
file in the user's own directory (CVE-2022-31214 was a sandbox that joined what somebody else had
planted).  A command that starts the jail waits for this: it imports next to nothing.
"""

import os
import stat
from _json import make_scanner

from venvjail import __version__
from venvjail.atomic import open_directory
from venvjail.errors import UserError
from venvjail.layout import VenvPaths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Fields = dict[str, str | tuple[str, ...]]

#: The layout that this venvjail reads and writes.
VERSION = 2
_MAX_SIZE = 1024 * 1024
#: The fields of `venvjail.record.Record`.
FIELDS = (
    *("venv", "made_by", "base_python", "base_link", "base_prefix", "python", "roots"),
    *("entry_roots", "prompt"),
)
_LISTS = ("roots", "entry_roots")
#: Those that the first layout lacked.
_SINCE = {"made_by": "", "base_link": ""}


class NewerLayoutError(UserError):
    """The venv was made by a newer venvjail, which may keep there what this one would lose."""


def load(env_dir: str, *, any_layout: bool = False) -> "Fields":
    """The fields of the record of the venv at ``env_dir``; as `venvjail.record.load`."""
    fields = read(env_dir, any_layout=any_layout)
    former = fields["venv"]
    assert isinstance(former, str)
    if is_elsewhere(former, env_dir):
        raise moved(env_dir, former)
    return fields


def read(env_dir: str, *, any_layout: bool = False) -> "Fields":
    """The same for a venv that may have been moved or copied since."""
    return _parse(env_dir, _read(env_dir), any_layout=any_layout)


def is_elsewhere(former: str, env_dir: str) -> bool:
    """Whether the venv at ``env_dir`` is not at ``former`` any more."""
    return os.path.realpath(former) != os.path.realpath(env_dir)


def moved(env_dir: str, former: str) -> UserError:
    """What to say of the venv at ``env_dir`` that was at ``former``."""
    return UserError(
        f"{env_dir}: was moved here from {former}, the path its programs "
        f"name; move it back or make it anew: {_again('--clear', env_dir)}"
    )


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
        raise UserError(f"{path}: others can write to it; run: chmod go-w {_quoted(path)}")


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
                f"run: chmod o-w {_quoted(directory)}"
            )


def _not_ours(env_dir: str) -> UserError:
    return UserError(f"{env_dir}: is not a venvjail environment; create one with: venvjail ENV_DIR")


def _again(option: str, env_dir: str) -> str:
    return f"venvjail {option} {_quoted(env_dir)}"


def _quoted(path: str) -> str:
    import shlex  # for an error only

    return shlex.quote(path)


def _parse(env_dir: str, raw: bytes, *, any_layout: bool) -> "Fields":
    path = VenvPaths(env_dir).record
    damaged = UserError(f"{path}: is damaged; run: {_again('--upgrade', env_dir)}")
    try:
        values = _parsed(raw)
    except (ValueError, RecursionError) as error:
        raise damaged from error
    version = values.pop("version", None) if isinstance(values, dict) else None
    if type(version) is not int or version < 1:
        raise damaged
    if version != VERSION and any_layout:
        values = {**_SINCE, **{name: values[name] for name in FIELDS if name in values}}
    elif version != VERSION:
        raise _other_layout(env_dir, version, values.get("made_by"))
    try:
        return _fields(values)
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


def _parsed(raw: bytes) -> "Any":
    """As json.loads() reads it, by the function that does its work; json takes 2 ms to import.

    Raises ValueError and RecursionError.
    """
    text = raw.decode("utf-8").strip()
    try:
        value, end = make_scanner(_Context)(text, 0)  # type: ignore[arg-type]  # needs these only
        if end == len(text):
            return value
    # SystemError: before Python 3.12 it has no error to raise where json is not imported yet.
    except (ValueError, StopIteration, SystemError):
        pass
    import json  # to say what is wrong

    return json.loads(raw)


class _Context:
    """What that function asks a json.JSONDecoder for."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _fields(values: dict[str, object]) -> "Fields":
    """The fields of a Record, each of its type.  Raises KeyError or TypeError."""
    if values.keys() != set(FIELDS):
        raise KeyError("fields")
    return {name: _typed(name, value) for name, value in values.items()}


def _typed(name: str, value: object) -> str | tuple[str, ...]:
    if name in _LISTS and isinstance(value, list) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if name not in _LISTS and isinstance(value, str):
        return value
    raise TypeError(name)
