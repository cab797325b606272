"""Builder and supervisor (host): empty directories in place of what the jail must not make.

What is not there cannot be guarded by a mount.  An empty directory in its place can; git does not
list it, and removes or fills it like any other.  Two jails of one project hold the same one, and
removing it would silently take the mount of the other away (the kernel detaches mounts in other
namespaces from a directory that is removed), so each holds a shared lock on it: the builder takes
it, init inherits it, and so it is held exactly as long as the jail lives.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping

from venvjail.errors import JailError

_LOCK_SECONDS = 5.0
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def hold(project: str, protect: frozenset[str]) -> dict[str, int]:
    """Make what is missing; each path with a locked descriptor, to be kept open by the jail.

    An empty one that is there already is another jail's, or was left by a crash.  Raises JailError.
    """
    held: dict[str, int] = {}
    try:
        for name in _wanted(project, protect):
            path = f"{project}/{name}"
            fd = _hold(path)
            if fd is not None:
                held[path] = fd
    except BaseException:
        abandon(held)
        raise
    return held


def abandon(held: Mapping[str, int]) -> None:
    """Undo ``hold``."""
    for fd in held.values():
        os.close(fd)
    release(held)


def release(paths: Iterable[str]) -> None:
    """Remove those that are still empty and that no jail holds; the caller's has ended."""
    for path in paths:
        try:
            fd = os.open(path, _OPEN)
        except OSError:
            continue  # the user has made something else of it
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is(path, fd):
                os.rmdir(path)
        except OSError:
            continue  # another jail's too, or not empty
        finally:
            os.close(fd)


def _wanted(project: str, protect: frozenset[str]) -> Iterator[str]:
    """``.git``: the jail could make a repository whose config names programs for git to run.

    ``HEAD``, unless there is a repository already: git also takes a directory for a repository
    that holds HEAD, objects and refs itself ("bare"), and would find the project to be one.
    ``.vscode``, ``.claude``, ``.cursor``: a folder that the user has trusted once stays trusted,
    with all its tasks and hooks.

    The others are left: who uses Mercurial, Jujutsu, Subversion or an IDE of JetBrains in a project
    has its directory there, and direnv runs no ``.envrc`` whose content it was not allowed.
    """
    if ".git" in protect:
        yield ".git"
        if not os.path.lexists(f"{project}/.git") or _is_empty_directory(f"{project}/.git"):
            yield "HEAD"
    yield from (name for name in (".vscode", ".claude", ".cursor") if name in protect)


def _hold(path: str) -> int | None:
    """A locked descriptor of the empty directory ``path``; None where there is something else."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            if not _is_empty_directory(path):
                return None
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EROFS):
                return None  # what the user cannot make, the jail cannot either
            raise JailError(f"cannot make {path}: {error.strerror}") from error
        fd = _lock(path)
        if fd is not None:
            return fd
        if time.monotonic() > deadline:
            raise JailError(
                f"{path} is locked by another process; end what runs in the other jails of this "
                "project: venvjail status"
            )
        time.sleep(0.01)


def _lock(path: str) -> int | None:
    """None when it was removed meanwhile, or is being removed."""
    try:
        fd = os.open(path, _OPEN)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        if _is(path, fd):
            return fd
    except BlockingIOError:
        pass
    os.close(fd)
    return None


def _is(path: str, fd: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(fd))
    except OSError:
        return False


def _is_empty_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode) and not os.listdir(path)
    except OSError:
        return False
