"""Runs on the host (creator): whether a venv can be made at a path, said in one line if not."""

import os
from collections.abc import Iterator

from venvjail.bins import foreign_names
from venvjail.errors import UserError
from venvjail.layout import VenvPaths

#: SQLite opens no path of more than 512 bytes; the venv's state and a journal's name come on top.
_MAX_PATH = 450
_REPOSITORIES = (".git", ".hg", ".svn", ".jj")


def check_location(env_dir: str, home: str) -> None:
    """Raise UserError unless ``env_dir`` (absolute) can hold a venv that stays jailed.

    ``home`` is the user's home.  Looks at names, owners and the directories above; what the
    directory holds is :func:`check_contents`'s business.
    """
    _check_name(env_dir)
    real = os.path.realpath(env_dir)
    if real == "/" or real == os.path.realpath(home):
        raise UserError(f"{env_dir}: not a place for a venv; name a new directory below it")
    _check_owner(env_dir)
    for above, name in _ancestors(real):
        if name in _REPOSITORIES:
            raise UserError(
                f"{env_dir}: inside {name}, which a jail may not write to; "
                "create the venv beside it"
            )
        if os.path.lexists(VenvPaths(above).state):
            raise UserError(
                f"{env_dir}: inside the venv {above}, whose jail can write there; "
                "create it elsewhere"
            )
        if os.path.lexists(VenvPaths(above).pyvenv_cfg):
            raise UserError(
                f"{env_dir}: inside the virtual environment {above}, which you run unjailed; "
                "create the venv beside it"
            )


def _ancestors(real: str) -> list[tuple[str, str]]:
    """``(/a, b)``, ``(/, a)`` for ``/a/b``: each directory above with the name that leads on."""
    found = []
    while real != "/":
        above, name = os.path.split(real)
        found.append((above, name))
        real = above
    return found


def _check_name(env_dir: str) -> None:
    if os.pathsep in env_dir:
        raise UserError(
            f"{env_dir}: contains {os.pathsep!r}, which separates directories in PATH; "
            "choose another name"
        )
    if len(os.fsencode(env_dir)) > _MAX_PATH:
        raise UserError(
            f"{env_dir}: longer than {_MAX_PATH} bytes, which the jail's log cannot have; "
            "choose a shorter path"
        )
    if any(ord(char) < 32 or ord(char) == 127 for char in env_dir):
        raise UserError(
            f"{env_dir}: contains a control character, which pyvenv.cfg and the scripts "
            "that pip writes cannot hold; choose another name"
        )


def _check_owner(env_dir: str) -> None:
    try:
        owner = os.stat(env_dir).st_uid
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"{env_dir}: {error.strerror}") from error
    if owner != os.geteuid():
        raise UserError(
            f"{env_dir}: belongs to another user (uid {owner}); create the venv in a "
            "directory of your own"
        )


def is_jailed_venv(env_dir: str) -> bool:
    """Whether ``env_dir`` was made by venvjail, be it only in part."""
    return os.path.isdir(VenvPaths(env_dir).state)


def check_contents(env_dir: str, *, clear: bool, upgrade: bool) -> None:
    """Raise UserError if what lies in ``env_dir`` would stay unjailed, be exposed, or be lost."""
    paths = VenvPaths(env_dir)
    if is_jailed_venv(env_dir):
        _check_no_links(paths)
        if not clear:
            _check_library(paths)
            _check_entries(paths)
    elif os.path.lexists(paths.pyvenv_cfg):
        _check_plain_venv(env_dir, clear, upgrade)
    elif clear and os.path.isdir(env_dir) and os.listdir(env_dir):
        raise UserError(
            f"{env_dir}: not a virtual environment, and --clear would delete all it holds; "
            "empty it yourself or choose another directory"
        )
    else:
        for path in (paths.bin, paths.store, paths.state):
            if os.path.lexists(path):
                raise UserError(
                    f"{path}: exists and was not made by venvjail; "
                    "move it away or choose another directory for the venv"
                )


def _check_plain_venv(env_dir: str, clear: bool, upgrade: bool) -> None:
    if not clear:
        option = "; --upgrade cannot jail them" if upgrade else ""
        raise UserError(
            f"{env_dir}: is a plain virtual environment, whose programs run unjailed"
            f"{option}; choose another directory, or replace it with --clear"
        )


def _check_no_links(paths: VenvPaths) -> None:
    """A jail could write to these; a link planted there must not lead the creator elsewhere."""
    for path in (paths.bin, paths.store, paths.state, paths.real_bin, paths.run):
        if os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path)):
            raise UserError(f"{path}: not a directory; remove it and try again")


def _check_library(paths: VenvPaths) -> None:
    """The same for what the standard builder makes, which follows links or ends by ValueError."""
    for path in _filled_by_the_standard_builder(paths.env):
        if os.path.islink(path):
            raise UserError(f"{path}: is a symlink; remove it, or use --clear")
        if os.path.lexists(path) and not os.path.isdir(path):
            raise UserError(f"{path}: is not a directory; remove it, or use --clear")


def _check_entries(paths: VenvPaths) -> None:
    if os.path.isdir(paths.bin):
        for name in foreign_names(paths):
            path = os.path.join(paths.bin, os.fsdecode(name))
            raise UserError(
                f"{path}: not made by venvjail, and would run unjailed; "
                "move it away, or use --clear"
            )


def _filled_by_the_standard_builder(env_dir: str) -> Iterator[str]:
    """Directories that ``venv.EnvBuilder`` makes where they are missing, by path; from above."""
    for top in ("lib", "include"):
        path = os.path.join(env_dir, top)
        yield path
        for version in _versions(path):
            yield version
            if top == "lib":
                yield os.path.join(version, "site-packages")


def _versions(path: str) -> list[str]:
    try:
        return [os.path.join(path, name) for name in os.listdir(path) if name.startswith("python")]
    except OSError:
        return []
