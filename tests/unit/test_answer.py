"""The supervisor's answer to an entry: nothing short of a whole jail is taken for one."""

import socket
from collections.abc import Iterator

import pytest

from venvjail import answer, protocol, syscalls

KINDS = (
    syscalls.CLONE_NEWUSER,
    syscalls.CLONE_NEWNS,
    syscalls.CLONE_NEWPID,
    syscalls.CLONE_NEWIPC,
)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    first, second = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with first, second:
        yield first, second


def fields(*kinds: int) -> list[bytes]:
    return [protocol.NAMESPACE + str(kind).encode() for kind in kinds]


def test_a_whole_answer(pair: tuple[socket.socket, socket.socket]) -> None:
    supervisor, entry = pair
    extra = [protocol.HOME + b"/home/alice", protocol.ASSIGN + b"A=b=c", protocol.NOTICE + b"hello"]
    message = protocol.pack(protocol.OK, [*fields(*KINDS), *extra])
    socket.send_fds(supervisor, [message], [0] * len(KINDS))
    got = answer.receive(entry)
    assert got is not None
    assert [kind for _, kind in got.namespaces] == list(KINDS)
    assert (got.home, got.assign, got.notices) == (b"/home/alice", {b"A": b"b=c"}, [b"hello"])
    for fd, _ in got.namespaces:
        socket.close(fd)


def test_the_connection_closes_instead(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].close()
    assert answer.receive(pair[1]) is None


def test_a_refusal(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].send(protocol.pack(protocol.ERROR, [b"because"]))
    with pytest.raises(answer.RefusedError, match=r"^because$"):
        answer.receive(pair[1])


@pytest.mark.parametrize("missing", range(len(KINDS)))
def test_a_namespace_is_missing(pair: tuple[socket.socket, socket.socket], missing: int) -> None:
    kinds = [kind for index, kind in enumerate(KINDS) if index != missing]
    with pytest.raises(protocol.ProtocolError):
        answer.Answer(pair[0], fields(*kinds), [0] * len(kinds))


@pytest.mark.parametrize(
    "message",
    [
        b"nonsense",
        protocol.pack(protocol.OK, []),
        protocol.pack(protocol.ERROR, []),
        protocol.pack(b"Z", fields(*KINDS)),
        protocol.pack(protocol.OK, fields(*KINDS)),  # and no descriptors
        protocol.pack(protocol.OK, [protocol.NAMESPACE + b"x"]),
    ],
)
def test_what_is_no_answer(pair: tuple[socket.socket, socket.socket], message: bytes) -> None:
    pair[0].send(message)
    with pytest.raises(protocol.ProtocolError):
        answer.receive(pair[1])


def test_what_a_later_version_may_add(pair: tuple[socket.socket, socket.socket]) -> None:
    """It is passed over: what confines the command is asked for by its kind."""
    got = answer.Answer(pair[0], [*fields(*KINDS), b"Znew"], [0] * len(KINDS))
    assert [kind for _, kind in got.namespaces] == list(KINDS)


def test_only_descriptors_are_taken_for_such(pair: tuple[socket.socket, socket.socket]) -> None:
    """The kernel may add who sent it (SCM_CREDENTIALS) to what the peer sends."""
    supervisor, entry = pair
    entry.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    supervisor.send(protocol.pack(protocol.OK, fields(*KINDS)))
    with pytest.raises(protocol.ProtocolError):
        answer.receive(entry)
