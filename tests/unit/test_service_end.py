"""When a supervisor may end, and what it says of a builder that has died."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from venvjail.layout import VenvPaths
from venvjail.serving import service


class Idle:
    """A jail that nobody uses, and what is there for who wants to."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self.paths = VenvPaths(str(place))
        os.makedirs(self.paths.run)
        self.lock = os.open(self.paths.run + "/lock", os.O_RDWR | os.O_CREAT)
        stack.callback(os.close, self.lock)
        self.listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        self.listener.bind("")  # an abstract name of the kernel's choice
        self.listener.listen()
        self.leases: list[int] = []
        self._stack = stack

    def may_end(self) -> bool:
        prepared = SimpleNamespace(paths=self.paths)
        jail: Any = SimpleNamespace(prepared=prepared, leases=self.leases)
        return service._may_end(jail, self.listener)

    def connect(self) -> None:
        client = self._stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        client.connect(self.listener.getsockname())

    @property
    def is_locked(self) -> bool:
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self.lock, fcntl.LOCK_UN)
        return False


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Idle]:
    with ExitStack() as stack:
        yield Idle(tmp_path, stack)


def test_who_comes_now_waits_until_it_has_ended(idle: Idle) -> None:
    assert idle.may_end()
    assert idle.is_locked


def test_a_command_is_about_to_start_one(idle: Idle) -> None:
    """It holds the lock, and looks whether there is a supervisor."""
    fcntl.flock(idle.lock, fcntl.LOCK_EX)
    assert not idle.may_end()


@pytest.mark.parametrize("who", ["waits", "has joined"])
def test_a_command_has_come_meanwhile(idle: Idle, who: str) -> None:
    if who == "waits":
        idle.connect()
    else:
        idle.leases.append(1)
    assert not idle.may_end()
    assert not idle.is_locked


def test_a_venv_that_was_deleted(idle: Idle) -> None:
    os.unlink(idle.paths.run + "/lock")
    assert idle.may_end()


@pytest.mark.parametrize("message", [b"", b"noise"])
def test_a_builder_that_died(message: bytes) -> None:
    assert str(service._failure(message)) == "the jail's builder died"


def test_a_builder_that_tells_why() -> None:
    failure = service._failure(b"E002no")
    assert (str(failure), failure.exit_status) == ("no", 2)


def test_nothing_was_reported() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.setblocking(False)
        assert service._reported(ours) is None
        theirs.send(b"R")
        assert service._reported(ours) is None
        theirs.send(b"E125because")
        assert str(service._reported(ours)) == "because"


def test_nobody_waits_for_the_reason() -> None:
    read, write = os.pipe()
    os.close(read)
    service._say_failed(write, "a reason", 125)
    os.close(write)
    service._say_failed(write, "a reason", 125)


def test_an_init_that_has_ended() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    service._kill(child)
