"""Entry (host, then the jail): standard streams that the caller has redirected from a file.

Such a descriptor is of the host's mount, whatever the jail has at that path.  Through it a command
could change a file that is read-only in the jail: the mode by fchmod(2), and the content, by
opening ``/proc/self/fd/0`` anew, where Landlock knows it as a file of the writable subtree.  So the
stream is opened again by its path in the jail, where the mount says no.  Where the jail has another
file at that path, or none, Landlock alone is left, and it is tried.

Imported only when there is such a stream.
"""

import fcntl
import posix

from venvjail.errors import JailError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_ACCESS_MODE = posix.O_RDONLY | posix.O_WRONLY | posix.O_RDWR
#: In the path of every file in a ``VenvPaths.state``.
_STATE = b"/.venvjail/"
_SEEK_SET, _SEEK_CUR = 0, 1


class Redirected:
    """Those of the descriptors ``fds``, regular files, that can only be read; made on the host."""

    def __init__(self, fds: "Iterable[int]") -> None:
        self._found = [
            (fd, posix.readlink(b"/proc/self/fd/%d" % fd))
            for fd in fds
            if fcntl.fcntl(fd, fcntl.F_GETFL) & _ACCESS_MODE == posix.O_RDONLY
        ]
        for fd, path in self._found:
            if _STATE in path:
                raise JailError(f"descriptor {fd} is of a venv's state, which jails must not see")
        self._replaced: list[tuple[int, int]] = []
        self._covered: list[tuple[int, bytes]] = []

    def reopen(self) -> None:
        """In the jail: replace each stream whose file is on a read-only mount there.

        A file that the jail does not have at that path is left, see ``check``.
        """
        for fd, path in self._found:
            try:
                flags = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
                anew = posix.open(path, flags)
            except OSError:
                self._covered.append((fd, path))
                continue
            if not _same_file(anew, fd):
                self._covered.append((fd, path))
            elif posix.fstatvfs(anew).f_flag & posix.ST_RDONLY:
                posix.lseek(anew, posix.lseek(fd, 0, _SEEK_CUR), _SEEK_SET)
                self._replaced.append((posix.dup(fd), fd))
                posix.dup2(anew, fd)
            posix.close(anew)

    def check(self) -> None:
        """In the child, confined by Landlock: that it keeps the files which were left.

        Most lie outside of all that a command may write to.  Not so the host's ``venv/bin``, and
        what is hidden within the project.  Raises JailError.
        """
        for fd, path in self._covered:
            try:
                posix.close(posix.open(b"/proc/self/fd/%d" % fd, posix.O_WRONLY | posix.O_CLOEXEC))
            except PermissionError:
                continue
            except OSError:
                pass  # busy, for example: later it may be writable
            name = path.decode("utf-8", "surrogateescape")
            raise JailError(
                f"descriptor {fd} is {name}, which the jail hides and could write to; "
                f"use a pipe: cat FILE | ..."
            )

    def give_back(self) -> None:
        """Leave the caller's files where the command has stopped to read, as if it had them."""
        for original, fd in self._replaced:
            posix.lseek(original, posix.lseek(fd, 0, _SEEK_CUR), _SEEK_SET)


def _same_file(first: int, second: int) -> bool:
    one, two = posix.fstat(first), posix.fstat(second)
    return (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)
