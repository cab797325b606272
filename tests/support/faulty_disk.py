"""A file system whose operations fail when a test says so: a directory, seen through FUSE.

`FaultyDisk` mounts it, its server being this module in a process of its own.  What passes through
is fusefs' own view of a store without any rules, which is a plain directory.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pyfuse3
import trio

from fusefs.nodes import ROOT_ID, Node
from fusefs.operations import Operations
from fusefs.serve import serve
from fusefs.view import ViewSettings
from tests.support.home import TREE

#: The handlers that can be told to fail.
READING = ("lookup", "getattr", "open", "read", "opendir", "readdir", "readlink")
WRITING = ("create", "mkdir", "mknod", "symlink", "link", "write", "setattr", "rename", "unlink")
FLUSHING = ("flush", "fsync")


class FaultyDisk:
    """``backing`` mounted on ``mount_point``, both existing directories, as a context."""

    def __init__(self, backing: Path, mount_point: Path) -> None:
        self._mount_point = mount_point
        self._server = subprocess.Popen(
            [sys.executable, "-m", __name__, backing, mount_point],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=TREE,
        )
        assert self._reply() == b"ready\n"

    def fail(self, number: int, *operations: str) -> None:
        """From now on, the ``operations`` fail with this errno, all others work."""
        self._tell(dict.fromkeys(operations, number))

    def work(self) -> None:
        """From now on, everything works."""
        self._tell({})

    def die(self) -> None:
        """The server is killed, as by a crash: what is mounted is ENOTCONN."""
        self._server.kill()
        self._server.wait()

    def unmount(self) -> None:
        """Take it out of the tree, whoever uses it (``umount --lazy``)."""
        subprocess.run(["fusermount3", "-uzq", self._mount_point], check=False)

    def __enter__(self) -> FaultyDisk:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.unmount()  # first: whoever waits for an answer gets an error
        self.die()
        for stream in (self._server.stdin, self._server.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):  # what it was to be told and never heard
                stream.close()

    def _tell(self, faults: dict[str, int]) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(faults).encode() + b"\n")
        self._server.stdin.flush()
        assert self._reply() == b"done\n"

    def _reply(self) -> bytes:
        assert self._server.stdout is not None
        return self._server.stdout.readline()


class _Disk(Operations):
    """The home of a view without rules, which is its store, as a file system of its own."""

    faults: dict[str, int]

    def _node(self, inode: int) -> Node:
        return self._view.home.root if inode == ROOT_ID else super()._node(inode)


def _failing(name: str, handler: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(handler)
    async def checked(self: _Disk, *arguments: Any) -> Any:
        number = self.faults.get(name)
        if number is not None:
            raise pyfuse3.FUSEError(number)
        return await handler(self, *arguments)

    return checked


async def _flushed(disk: Operations, fh: int) -> None:
    """As a network file system, that wants to hear of each close(2)."""


_HANDLERS: dict[str, Callable[..., Any]] = {
    name: getattr(Operations, name) for name in (*READING, *WRITING, "fsync", "rmdir", "statfs")
}
for _name, _handler in {**_HANDLERS, "flush": _flushed}.items():
    setattr(_Disk, _name, _failing(_name, _handler))


def _obey(disk: _Disk) -> None:
    """A thread: take what is to fail from stdin."""
    for line in sys.stdin:
        disk.faults = json.loads(line)
        print("done", flush=True)  # noqa: T201 - the test waits for this line


async def _serve(disk: _Disk, mount_point: str) -> None:
    def ready() -> None:
        print("ready", flush=True)  # noqa: T201 - the test waits for this line
        threading.Thread(target=_obey, args=(disk,), daemon=True).start()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_on_sigterm, nursery.cancel_scope)
        await serve(disk, mount_point, options=frozenset({"default_permissions"}), ready=ready)
        nursery.cancel_scope.cancel()


async def _cancel_on_sigterm(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


def main(backing: str, mount_point: str) -> None:
    """Serve ``backing`` at ``mount_point`` until SIGTERM, or until it is unmounted."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    nothing = os.path.join(os.path.dirname(backing), "nothing")
    os.makedirs(nothing, exist_ok=True)
    settings = ViewSettings(home=os.fsencode(nothing), store=os.fsencode(backing))
    disk = _Disk(settings, lambda _event: None)
    disk.faults = {}
    trio.run(_serve, disk, mount_point)


#: What failing disks answer, for parametrizing.
ERRORS = {name: getattr(errno, name) for name in ("EIO", "EACCES", "ENOSPC", "EDQUOT", "EROFS")}


if __name__ == "__main__":
    main(*sys.argv[1:])
