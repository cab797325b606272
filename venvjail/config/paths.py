"""Runs everywhere: the kinds of config values that are paths (`venvjail.config.kind`)."""

from typing import get_args

from venvjail.config.kind import Context, Kind, UnfitError, shown, text
from venvjail.config.model import HomeAllow, HomeMode, Item
from venvjail.quoting import path_text, toml_string

#: In the home: the user's config file.
USER_FILE_NAME = ".dirjailconfig"

_HOME_MODES: tuple[HomeMode, ...] = get_args(HomeMode)


def _path(raw: object) -> str:
    """A path with its carried bytes decoded; not normalised."""
    path = path_text(text(raw))
    if "\0" in path:
        raise UnfitError(f"{shown(raw)} has a NUL character")
    if ".." in path.split("/"):
        raise UnfitError(f"{shown(raw)} has a .. component")
    if path == "~" or path.startswith("~/"):
        return path
    return _unexpanded(path, raw)


def _unexpanded(path: str, raw: object) -> str:
    """*path*, unless a shell would expand its beginning: by the letter it is nowhere."""
    if path.startswith(("$HOME", "${HOME}")):
        raise UnfitError(f"{shown(raw)} has a variable, which is not expanded")
    if path.startswith("~"):
        raise UnfitError(f"{shown(raw)} is in another user's home")
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
    return _unexpanded(_relative(path.removeprefix("~")), raw)


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
    path = _unexpanded(_relative(path), raw)
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
    for mode in _HOME_MODES:
        if raw == mode:
            return mode
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
