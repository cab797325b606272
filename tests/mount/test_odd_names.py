"""A hundred levels of the longest names on a mount, of which no path can be given to the kernel."""

from __future__ import annotations

import os

from tests.support.mounts import MountedView

LONGEST = b"\xff" * 255
DEPTH = 100


def test_a_hundred_levels_of_the_longest_names(view: MountedView) -> None:
    fds = [os.open(view.home, os.O_RDONLY | os.O_DIRECTORY)]
    try:
        for _ in range(DEPTH):
            os.mkdir(LONGEST, dir_fd=fds[-1])
            fds.append(os.open(LONGEST, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fds[-1]))
        with os.fdopen(
            os.open(b"file", os.O_RDWR | os.O_CREAT, 0o600, dir_fd=fds[-1]), "r+"
        ) as file:
            file.write("deep")
            file.flush()
            os.fsync(file.fileno())
        assert os.listdir(fds[-1]) == ["file"]
        up = os.open("../..", os.O_PATH, dir_fd=fds[-1])
        assert os.path.samestat(os.fstat(up), os.fstat(fds[-3]))
        os.close(up)
        os.unlink(b"file", dir_fd=fds[-1])
        for fd in reversed(fds[:-1]):
            os.rmdir(LONGEST, dir_fd=fd)
    finally:
        for fd in fds:
            os.close(fd)
    assert not list(view.layout.store.iterdir())
