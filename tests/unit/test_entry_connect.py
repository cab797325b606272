"""Whom the entry believes to be the supervisor."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from venvjail import entry
from venvjail.errors import JailError
from venvjail.layout import VenvPaths


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[VenvPaths]:
    """A venv whose control socket this process serves."""
    found = VenvPaths(str(tmp_path))
    os.makedirs(found.run, mode=0o700)
    directory = os.open(found.run, os.O_PATH)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"/proc/self/fd/{directory}/control")  # the path itself may be too long
        os.close(directory)
        listener.listen()
        yield found


def test_a_socket_of_ones_own_user(paths: VenvPaths) -> None:
    connection = entry.connect(paths)
    assert connection is not None
    connection.close()


def test_one_that_another_user_serves(paths: VenvPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two users are not to be had here: the directory is ours, and then we are somebody else.
    own = os.getuid()
    users = iter([own, own + 1])
    monkeypatch.setattr(entry.posix, "getuid", lambda: next(users))
    with pytest.raises(JailError, match="is served by another user"):
        entry.connect(paths)
