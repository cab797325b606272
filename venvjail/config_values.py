"""Runs everywhere: the kinds of values a config file holds, and what makes one unfit.

A `Kind` turns one raw TOML value into a typed entry or raises `UnfitError`; it knows
nothing of files, sections or lists.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, get_args

from venvjail.config import (
    Assignment,
    HomeAllow,
    HomeMode,
    Item,
    NetworkMode,
    Origin,
    Publish,
    Setting,
)
from venvjail.quoting import path_text, toml_string

T = TypeVar("T")

USER_FILE_NAME = ".dirjailconfig"
#: Less memory than this and no interpreter starts.
LEAST_MEMORY = 16 * 1024**2

_MAX_SHOWN = 100


class UnfitError(Exception):
    """Why a value cannot be used; *expected* replaces what its kind says."""

    def __init__(self, wrong: str, expected: str | None = None) -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Context:
    """What reading a value needs beside the value: where it stands, and the user's home."""

    origin: Origin
    home: str


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of value: how a person calls it (``expected``), and how it is read."""

    expected: str
    read: Callable[[object, Context], T]


def shown(raw: object) -> str:
    """A raw TOML value as an error quotes it: short and safe to print."""
    if isinstance(raw, str):
        return toml_string(raw if len(raw) <= _MAX_SHOWN else raw[:_MAX_SHOWN] + "…")
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, (list, dict)):
        return "this"
    return str(raw)[:_MAX_SHOWN]


def type_name(raw: object) -> str:
    """What a raw TOML value is: ``an integer``, ``a list``…"""
    if isinstance(raw, bool):
        return "a boolean"
    names = {str: "a string", int: "an integer", float: "a number", list: "a list", dict: "a table"}
    return names.get(type(raw), "a date or time")


def wrong_type(raw: object) -> UnfitError:
    """The reason when a value has a TOML type that its kind does not take."""
    return UnfitError(f"{shown(raw)} is {type_name(raw)}")


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise wrong_type(raw)
    if not raw:
        raise UnfitError('"" is empty')
    return raw


# --- paths ----------------------------------------------------------------------------------


def _path(raw: object) -> str:
    """A path with its carried bytes decoded; not normalised."""
    path = path_text(_text(raw))
    if "\0" in path:
        raise UnfitError(f"{shown(raw)} has a NUL character")
    if path.startswith(("$HOME", "${HOME}")):
        raise UnfitError(f"{shown(raw)} has a variable, which is not expanded")
    if path.startswith("~") and path != "~" and not path.startswith("~/"):
        raise UnfitError(f"{shown(raw)} is in another user's home")
    if ".." in path.split("/"):
        raise UnfitError(f"{shown(raw)} has a .. component")
    return path


def _literal(raw: object) -> str:
    """A path that is taken by the letter.

    ``*`` and ``?`` are refused: a ``hide`` that matches nothing fails open, silently.
    """
    path = _path(raw)
    if "*" in path or "?" in path:
        raise UnfitError(f"{shown(raw)} is a pattern, and patterns are not taken here")
    return path


def _relative(path: str) -> str:
    """*path* without empty and ``.`` components; ``""`` is the directory it is relative to."""
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _below_home(raw: object) -> str:
    path = _literal(raw)
    if path.startswith("/"):
        raise UnfitError(f"{shown(raw)} is absolute")
    return _relative(path.removeprefix("~"))


def _shown_in_home(raw: object) -> str:
    path = _below_home(raw)
    if not path:
        raise UnfitError(f"{shown(raw)} is the whole home, with every secret in it")
    if path.split("/")[0] == USER_FILE_NAME:
        raise UnfitError(f"{shown(raw)} is the jail's own config, which is never visible in a jail")
    return path


def _hidden_in_home(raw: object) -> str:
    path = _below_home(raw)
    if not path:
        raise UnfitError(f"{shown(raw)} is the whole home, which is hidden but for what is allowed")
    return path


def _absolute(path: str, raw: object, home: str) -> str:
    if path == "~" or path.startswith("~/"):
        path = home + path[1:]
    if not path.startswith("/"):
        raise UnfitError(f"{shown(raw)} is relative")
    return "/" + _relative(path)


def _beside_home(path: str, raw: object, home: str) -> str:
    """An absolute path that does not contain the home, which has rules of its own."""
    path = _absolute(path, raw, home)
    if path == "/":
        raise UnfitError(f"{shown(raw)} is the whole file system")
    if f"/{_relative(home)}/".startswith(path + "/"):
        raise UnfitError(f"{shown(raw)} contains the home, whose rules are in [home]")
    return path


def _system_path(raw: object, context: Context) -> Item:
    return Item(_beside_home(_literal(raw), raw, context.home), context.origin)


def _project_path(raw: object, context: Context) -> Item:
    return Item(_beside_home(_path(raw), raw, context.home), context.origin)


def _below(root: str, path: str, raw: object, context: Context) -> Item:
    path = _absolute(path, raw, context.home)
    if not path.startswith(root + "/"):
        raise UnfitError(f"{shown(raw)} is not below {root}")
    return Item(path, context.origin)


def _run_path(raw: object, context: Context) -> Item:
    return _below("/run", _literal(raw), raw, context)


def _dev_pattern(raw: object, context: Context) -> Item:
    return _below("/dev", _path(raw), raw, context)


def _below_directory(raw: object, context: Context) -> Item:
    path = _literal(raw)
    if path.startswith(("/", "~")):
        raise UnfitError(f"{shown(raw)} is absolute")
    path = _relative(path)
    if not path:
        raise UnfitError(f"{shown(raw)} is the whole directory")
    return Item(path, context.origin)


def _home_allow(raw: object, context: Context) -> HomeAllow:
    if not isinstance(raw, dict):
        return HomeAllow(_shown_in_home(raw), "merge", context.origin)
    for name in raw:
        if name not in ("path", "mode"):
            raise UnfitError(f"unknown key {toml_string(name)}")
    if "path" not in raw:
        raise UnfitError("the table has no path")
    mode = raw.get("mode", "merge")
    return HomeAllow(_shown_in_home(raw["path"]), _home_mode(mode), context.origin)


def _home_mode(raw: object) -> HomeMode:
    for mode in get_args(HomeMode):
        if raw == mode:
            return mode  # type: ignore[no-any-return]  # get_args() forgets the Literal
    raise UnfitError(f"mode {shown(raw)} is not known", 'mode "merge" or "ro"')


HOME_ALLOW = Kind(
    'a path in the home, such as ".gitconfig", or {path = ".pyenv", mode = "ro"}', _home_allow
)
HOME_HIDE = Kind(
    'a path in the home, such as ".config/git/credentials"',
    lambda raw, context: Item(_hidden_in_home(raw), context.origin),
)
HOME_WRITABLE = Kind(
    'a path in the home, such as "data"',
    lambda raw, context: Item(_shown_in_home(raw), context.origin),
)
SYSTEM_PATH = Kind('an absolute path, such as "/srv/private"', _system_path)
PROJECT_PATH = Kind('an absolute path, such as "/home/alice/proj"', _project_path)
PROTECT = Kind('a path in the project, such as ".git"', _below_directory)
PROC_PATH = Kind('a path below /proc without "/proc/", such as "diskstats"', _below_directory)
RUN_PATH = Kind('a path below /run, such as "/run/postgresql"', _run_path)
DEV_PATTERN = Kind('a path or pattern below /dev, such as "/dev/nvidia*"', _dev_pattern)


# --- environment ----------------------------------------------------------------------------


def _variable(raw: object) -> str:
    """A name in the environment, which is ``NAME=VALUE`` strings that end with a NUL."""
    name = _text(raw)
    for char, called in (("=", "an equals sign"), ("\0", "a NUL character")):
        if char in name:
            raise UnfitError(f"the name {shown(raw)} has {called}")
    return name


def _name_pattern(raw: object, context: Context) -> Item:
    return Item(_variable(raw), context.origin)


def _assignment(pair: object, context: Context) -> Assignment:
    """A kind whose raw value is a name and a value, as a table's items are."""
    assert isinstance(pair, tuple)
    name, raw = pair
    if not isinstance(raw, str):
        raise wrong_type(raw)
    if "\0" in raw:
        raise UnfitError(f"{shown(raw)} has a NUL character")
    return Assignment(_variable(name), raw, context.origin)


NAME_PATTERN = Kind(
    'the name of a variable or a pattern, such as "GITHUB_TOKEN" or "*_KEY"', _name_pattern
)
VARIABLE = Kind('the value of a variable as a string, such as "1"', _assignment)


# --- numbers and words ----------------------------------------------------------------------

_PAIR_OF_PORTS = re.compile(r"([0-9]{1,5}):([0-9]{1,5})")
_SIZE = re.compile(r"([0-9]{1,15})([KMGT])")
_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def _publish(raw: object, context: Context) -> Publish:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return Publish(_port(raw), _port(raw), context.origin)
    found = _PAIR_OF_PORTS.fullmatch(_text(raw))
    if found is None:
        raise UnfitError(f"{shown(raw)} is not a port")
    return Publish(_port(int(found[1])), _port(int(found[2])), context.origin)


def _port(number: int) -> int:
    if not 1 <= number <= 65535:
        raise UnfitError(f"{shown(number)} is not a port")
    return number


def _network_mode(raw: object, context: Context) -> Setting[NetworkMode]:
    for mode in get_args(NetworkMode):
        if raw == mode:
            return Setting(mode, context.origin)
    raise UnfitError(f"{shown(raw)} is not a network mode")


def _processes(raw: object, context: Context) -> Setting[int]:
    if not isinstance(raw, int) or isinstance(raw, bool):
        raise wrong_type(raw)
    if raw < 1:
        raise UnfitError(f"{raw} is too small")
    return Setting(raw, context.origin)


def _memory(raw: object, context: Context) -> Setting[int]:
    size = raw
    if isinstance(raw, str):
        found = _SIZE.fullmatch(raw)
        if found is None:
            raise UnfitError(f"{shown(raw)} is not a size")
        size = int(found[1]) * _UNITS[found[2]]
    if not isinstance(size, int) or isinstance(size, bool):
        raise wrong_type(raw)
    if size < LEAST_MEMORY:
        raise UnfitError(f"{shown(raw)} is less than 16M, too little for any interpreter")
    return Setting(size, context.origin)


def _seconds(raw: object, context: Context) -> Setting[float]:
    if not isinstance(raw, (int, float)) or isinstance(raw, bool):
        raise wrong_type(raw)
    if not math.isfinite(raw):
        raise UnfitError(f"{raw} is not finite")
    if raw < 0:
        raise UnfitError(f"{raw} is negative")
    return Setting(float(raw), context.origin)


def _switch(raw: object, context: Context) -> Setting[bool]:
    if not isinstance(raw, bool):
        raise wrong_type(raw)
    return Setting(raw, context.origin)


PUBLISH = Kind(
    'a port from 1 to 65535, such as 8000, or "8080:80" (host:jail)',
    _publish,
)
NETWORK_MODE = Kind('"host", "none" or "isolated"', _network_mode)
PROCESSES = Kind("a number of processes, 1 or more", _processes)
MEMORY = Kind('a size such as "2G" (K, M, G, T) or a number of bytes', _memory)
SECONDS = Kind("a number of seconds, 0 or more", _seconds)
SWITCH = Kind("true or false", _switch)
