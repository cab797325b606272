"""The supervisor's socket, talked to by somebody hostile: issue of the trusted side.

A jailed process cannot reach it (test_sockets.py).  Should one do so some day, noise must not stop
the supervisor, and must not grow it.
"""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.support.jail import JailedVenv
from venvjail import protocol

KINDS = (protocol.JOIN, protocol.DONE, protocol.STATUS, b"?", b"", b"\0", protocol.OK, b"JJ")


class Control:
    """Connections to the control socket of one jail."""

    def __init__(self, venv: JailedVenv) -> None:
        self._path = venv.paths.run + "/control"

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(self._path)  # waits where too many do already
        connection.settimeout(10)
        return connection

    def send(self, message: bytes) -> bytes:
        """The answer, empty where the connection was closed without one."""
        with self.connect() as connection, suppress(ConnectionResetError, BrokenPipeError):
            connection.send(message)
            return connection.recv(protocol.LIMIT)
        return b""


@pytest.fixture
def control(jail: JailedVenv) -> Iterator[Control]:
    """That of the shared jail, whose supervisor has to survive the test."""
    jail.python("pass")
    before = jail.status
    assert before is not None
    yield Control(jail)
    after = jail.status
    assert after is not None
    assert (after.supervisor, after.init) == (before.supervisor, before.init)
    assert jail.python("print('served')") == "served"


def hostile_message(chance: random.Random) -> bytes:
    """A random message: noise, or one of the right form with fields of any kind, or damaged."""
    fields = [chance.randbytes(chance.choice((0, 1, 7, 300))) for _ in range(chance.randrange(12))]
    odd = [b"/", b"/proc/self/fd/0", b"\0", b"/\0", b"../..", b"\xff\xfe", b"a=b", b"=" * 4000]
    fields += chance.sample(odd, chance.randrange(4))
    chance.shuffle(fields)
    try:
        message = bytearray(protocol.pack(chance.choice(KINDS), fields))
    except protocol.ProtocolError:
        message = bytearray(protocol.MAGIC)
    for _ in range(chance.choice((0, 0, 0, 1, 5))):
        message[chance.randrange(len(message))] = chance.randrange(256)
    del message[chance.choice((len(message), chance.randrange(len(message)))) :]
    stops = message[:4] == protocol.MAGIC + protocol.STOP
    return chance.randbytes(20) if stops or not message else bytes(message)


def test_noise(control: Control) -> None:
    chance = random.Random(20260101)
    for _ in range(400):
        control.send(hostile_message(chance))


@pytest.mark.parametrize(
    "message",
    [
        protocol.pack(protocol.JOIN, []),
        protocol.pack(protocol.JOIN, [b"/home", b"test"]),
        protocol.pack(b"Z", []),
        protocol.MAGIC,
        protocol.MAGIC + b"J\xff\xff\xff\xff",
        bytes(protocol.LIMIT + 1),
    ],
)
def test_what_is_no_message_is_not_answered(control: Control, message: bytes) -> None:
    assert control.send(message) == b""


def test_control_a_message_is_answered(control: Control) -> None:
    assert control.send(protocol.pack(protocol.STATUS, []))[:4] == protocol.MAGIC + protocol.OK
    joined = control.send(protocol.pack(protocol.JOIN, [b"", b"test", b"/"]))
    assert joined[:4] == protocol.MAGIC + protocol.OK


def test_one_connection_joins_once(control: Control) -> None:
    join = protocol.pack(protocol.JOIN, [b"", b"test", b"/"])
    with control.connect() as connection:
        connection.send(join)
        assert connection.recv(protocol.LIMIT)[:4] == protocol.MAGIC + protocol.OK
        connection.send(join)
        assert connection.recv(protocol.LIMIT) == b""


def test_descriptors_sent_along_are_dropped(jail: JailedVenv, control: Control) -> None:
    assert jail.status is not None
    descriptors = f"/proc/{jail.status.supervisor}/fd"
    before = len(os.listdir(descriptors))
    message = protocol.pack(protocol.STATUS, [])
    with control.connect() as connection:
        for _ in range(20):
            socket.send_fds(connection, [message], [0, 1, 2])
            assert connection.recv(protocol.LIMIT)
        assert len(os.listdir(descriptors)) <= before + 2


def test_many_that_say_nothing_and_one_that_does_not_read(
    jail: JailedVenv, control: Control
) -> None:
    """Neither keeps the others from being served."""
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(control.connect())
        deaf = stack.enter_context(control.connect())
        deaf.setblocking(False)
        with suppress(OSError):
            for _ in range(5000):
                deaf.send(protocol.pack(protocol.STATUS, []))
        assert jail.python("print('served')") == "served"
