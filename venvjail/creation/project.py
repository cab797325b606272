"""Runs on the host (creator): which directory a new venv's jail may write to besides the venv."""

import os
import stat
from dataclasses import dataclass

from venvjail.errors import UserError

# Directories that hold the files of many programs or users; a venv made right in one of them has
# no project.  What lies below /tmp or /opt may well be a project.
_SYSTEM = frozenset(
    [
        *("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32"),
        *("/media", "/mnt", "/nix", "/opt", "/proc", "/root", "/run", "/sbin", "/snap", "/srv"),
        *("/sys", "/tmp", "/usr", "/var"),
        *("/dev/shm", "/nix/store", "/run/media", "/run/user"),
        *("/usr/bin", "/usr/lib", "/usr/local", "/usr/sbin", "/usr/share", "/usr/src"),
        *("/usr/local/bin", "/usr/local/lib", "/usr/local/share"),
        *("/var/cache", "/var/lib", "/var/log", "/var/opt", "/var/run", "/var/spool", "/var/tmp"),
    ]
)


@dataclass(frozen=True)
class Project:
    """The jail's writable directory besides the venv itself."""

    #: Absolute, without symlinks; None when the venv is all that is writable.
    path: str | None
    #: Why, for the user: ``the directory that holds the venv``.
    reason: str


def choose_project(env_dir: str, home: str) -> Project:
    """The directory that contains the venv ``env_dir`` (absolute), unless that is too much to give.

    ``home`` is the user's home.  The venv need not exist yet; its directory may not either.
    """
    parent = os.path.realpath(os.path.dirname(env_dir))
    too_much = _too_much(parent, os.path.realpath(home))
    if too_much:
        return Project(None, f"{parent} {too_much}")
    return Project(parent, "the directory that holds the venv")


def given_project(directory: str, env_dir: str, home: str) -> Project:
    """The project that the user chose.  Raises UserError where it would undo the jail."""
    path = os.path.realpath(directory)
    if not os.path.isdir(path):
        raise UserError(f"--project {directory}: not a directory; create it first")
    too_much = _too_much(path, os.path.realpath(home))
    if too_much:
        raise UserError(
            f"--project {directory}: {too_much}, and the jail could write to all of "
            "it; choose a directory below it"
        )
    if is_within(path, os.path.realpath(env_dir)):
        return Project(None, "the project given is in the venv")
    return Project(path, "as given")


def is_within(path: str, directory: str) -> bool:
    """Whether ``path`` is ``directory`` or below it; both absolute and without symlinks."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _too_much(directory: str, home: str) -> str | None:
    if directory == home:
        return "is your home"
    if is_within(home, directory):
        return "contains your home"
    if directory in _SYSTEM or os.path.dirname(directory) == "/run/user":
        return "is a system directory"
    try:
        mode = os.stat(directory).st_mode
    except OSError:
        return None
    return "is open to every user" if mode & stat.S_IWOTH else None
