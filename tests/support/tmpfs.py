"""A small disk for a test: a tmpfs in user and mount namespaces of the test's own.

A process holds the namespaces; commands join them.  What is on the disk can be reached from outside
too, through the holder's root directory in /proc.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.support.commands import run_command
from tests.support.home import TREE

_PROGRAM = (
    f"import sys; sys.path.insert(0, {str(TREE)!r}); "
    "from tests.support import tmpfs; tmpfs.{}(*sys.argv[1:])"
)


class SmallDisk:
    """A tmpfs of ``size`` bytes at ``mount_point``, an existing directory, as a context.

    Commands there have a ``/tmp`` of their own: what is made in it is theirs and no other test's.
    """

    def __init__(self, mount_point: Path, size: int) -> None:
        self.mount_point = mount_point
        self._holder = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.format("hold"), mount_point, str(size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n"

    @property
    def _inside(self) -> list[str]:
        return [sys.executable, "-c", _PROGRAM.format("join"), str(self._holder.pid)]

    def path(self, path: str | Path) -> Path:
        """The path by which this process reaches ``path`` on the disk."""
        return Path(f"/proc/{self._holder.pid}/root{path}")

    def run(
        self, argv: Sequence[str | Path], env: Mapping[str, str], cwd: Path = Path("/")
    ) -> subprocess.CompletedProcess[str]:
        """Run ``argv`` there, in the directory ``cwd`` of there."""
        change = ["/usr/bin/env", "-C", str(cwd)]
        return run_command([*self._inside, *change, *argv], env=env, cwd=Path("/"))

    def __enter__(self) -> SmallDisk:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._holder.communicate()


def hold(mount_point: str, size: str) -> None:
    """Make the namespaces and the disk; keep them until stdin ends."""
    from tests.support import namespaces
    from venvjail import syscalls

    namespaces.unshare(as_root=False)
    syscalls.mount("none", "/tmp", "tmpfs", 0, "mode=1777")
    syscalls.mount("none", mount_point, "tmpfs", 0, f"size={size},mode=0755")
    print("ready", flush=True)  # noqa: T201 - the test waits for this line
    sys.stdin.read()


def join(holder: str, *command: str) -> None:
    """Execute ``command`` in the holder's namespaces."""
    from venvjail import syscalls

    kinds = {"user": syscalls.CLONE_NEWUSER, "mnt": syscalls.CLONE_NEWNS}
    files = {os.open(f"/proc/{holder}/ns/{name}", os.O_RDONLY): kinds[name] for name in kinds}
    for fd, kind in files.items():
        syscalls.setns(fd, kind)
    os.execvp(command[0], command)
