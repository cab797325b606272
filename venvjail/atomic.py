"""Runs on the host: whole files or nothing, and never through a link somebody planted.

What is written lies in directories that a jail can write to (``venv/.gitignore``) or whose
contents it chose (the real bin).  A file is therefore made under a fresh name (``O_EXCL``) and
renamed over the old one: rename(2) replaces a symlink, it does not follow it.
"""

import os

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def open_directory(path: str) -> int:
    """A descriptor of the directory ``path``, whose last component is no symlink; else OSError."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def write_file(path: str, data: bytes, mode: int = 0o644) -> None:
    """Put ``data`` at ``path`` with exactly ``mode``; its directory is no link.  Raises OSError."""
    directory, name = os.path.split(path)
    fd = open_directory(directory)
    try:
        write_at(fd, os.fsencode(name), data, mode)
    finally:
        os.close(fd)


def write_at(directory: int, name: bytes, data: bytes, mode: int = 0o644) -> None:
    """Put ``data`` at ``name`` in the open ``directory`` with exactly ``mode``.  Raises OSError."""
    fresh = f".venvjail-{os.urandom(8).hex()}"
    fd = os.open(fresh, _NEW, 0o600, dir_fd=directory)
    try:
        with open(fd, "wb") as file:
            file.write(data)
            os.fchmod(fd, mode)
        os.rename(fresh, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        try:  # noqa: SIM105 - contextlib takes milliseconds to import
            os.unlink(fresh, dir_fd=directory)
        except FileNotFoundError:
            pass  # renamed already, or removed by the jail
        raise
