"""Entry (host, then the jail): standard streams that the caller has redirected from a file.

Such a descriptor is of the host's mount, whatever the jail has at that path.  Through it a command
could change a file that is read-only in the jail: the mode by fchmod(2), and the content, by
opening ``/proc/self/fd/0`` anew, where Landlock knows it as a file of the writable subtree.  So the
stream is opened again by its path in the jail, where the mount says no.

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

    def reopen(self) -> None:
        """In the jail: replace each stream whose file is on a read-only mount there.

        A file that the jail does not have at that path is left: Landlock keeps it as it is, since
        it lies outside of all that a command may write to.
        """
        for fd, path in self._found:
            try:
                flags = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
                anew = posix.open(path, flags)
            except OSError:
                continue
            if _same_file(anew, fd) and posix.fstatvfs(anew).f_flag & posix.ST_RDONLY:
                posix.lseek(anew, posix.lseek(fd, 0, _SEEK_CUR), _SEEK_SET)
                self._replaced.append((posix.dup(fd), fd))
                posix.dup2(anew, fd)
            posix.close(anew)

    def give_back(self) -> None:
        """Leave the caller's files where the command has stopped to read, as if it had them."""
        for original, fd in self._replaced:
            posix.lseek(original, posix.lseek(fd, 0, _SEEK_CUR), _SEEK_SET)


def _same_file(first: int, second: int) -> bool:
    one, two = posix.fstat(first), posix.fstat(second)
    return (one.st_dev, one.st_ino) == (two.st_dev, two.st_ino)
