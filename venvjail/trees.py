"""Runs on the host: delete a tree that a jail could write to.

Its contents are hostile: symlinks that lead out, directories without any permission, a nesting too
deep for a recursion or for PATH_MAX.  So nothing is reached by path: each directory is opened by
one name below an open one, never through a symlink or a mount, and the directories in it are moved
up to the top before their turn comes.  That takes four descriptors, whatever the depth.
"""

import contextlib
import os
from collections.abc import Iterator

from venvjail import syscalls
from venvjail.atomic import open_directory

_PINNED = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LISTED = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_RESOLVE = syscalls.RESOLVE_NO_SYMLINKS | syscalls.RESOLVE_NO_XDEV


def delete_tree(path: str, *, last: str | None = None) -> None:
    """Delete the directory ``path`` and all below it, of the directories in it ``last`` at last.

    Permissions of the directories do not stop it.  What is mounted below stops it and stays as it
    is.  Raises OSError, also where ``path`` is missing or no directory.
    """
    parent, name = os.path.split(path)
    with _closing(open_directory(parent or ".")) as above:
        with _opened(above, name) as top:
            _empty(top, last)
        os.rmdir(name, dir_fd=above)


def _empty(top: int, last: str | None) -> None:
    pending = _delete_files(top, top)
    pending.sort(key=lambda name: name != last)
    while pending:
        name = pending.pop()
        with _opened(top, name) as directory:
            pending += _delete_files(directory, top)
        os.rmdir(name, dir_fd=top)


def _delete_files(directory: int, top: int) -> list[str]:
    """Delete what is no directory; the names in ``top`` that the others have from now on."""
    with os.scandir(directory) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    kept = []
    for name, is_directory in found:
        if not is_directory:
            os.unlink(name, dir_fd=directory)
        elif directory == top:
            kept.append(name)
        else:
            kept.append(_moved_up(directory, name, top))
    return kept


def _moved_up(directory: int, name: str, top: int) -> str:
    fresh = f".venvjail-{os.urandom(8).hex()}"
    with _pinned(directory, name):  # moving a directory writes its "..": it has to be writable
        os.rename(name, fresh, src_dir_fd=directory, dst_dir_fd=top)
    return fresh


@contextlib.contextmanager
def _opened(above: int, name: str) -> Iterator[int]:
    """The directory ``name`` to be read and emptied."""
    with _pinned(above, name) as pinned, _closing(os.open(".", _LISTED, dir_fd=pinned)) as fd:
        yield fd


@contextlib.contextmanager
def _pinned(above: int, name: str) -> Iterator[int]:
    """An O_PATH descriptor of the directory ``name``, which has all permissions now."""
    with _closing(syscalls.openat2(above, name, _PINNED, _RESOLVE)) as fd:
        # fchmod(2) does not take an O_PATH descriptor; its magic link in /proc leads there too.
        os.chmod(f"/proc/self/fd/{fd}", 0o700)
        yield fd


@contextlib.contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)
