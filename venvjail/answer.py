"""Entry (host): the supervisor's answer to a JOIN, read and believed only when it is whole."""

import _socket
import sys

from venvjail import protocol, syscalls

#: What every jail is made of; the command would be free without one of them.
_REQUIRED = {
    syscalls.CLONE_NEWUSER,
    syscalls.CLONE_NEWNS,
    syscalls.CLONE_NEWPID,
    syscalls.CLONE_NEWIPC,
}


class RefusedError(Exception):
    """The supervisor lets nobody join; the argument is its line for the user."""


class Answer:
    """What a command needs of the jail.

    ``lease`` is the connection the answer came by.  Raises ProtocolError for fields that make no
    jail.
    """

    __slots__ = (
        "assign",
        "filter",
        "home",
        "lease",
        "memory",
        "namespaces",
        "notices",
        "processes",
        "relays",
        "ruleset",
        "withhold",
    )

    def __init__(self, lease: _socket.socket, fields: list[bytes], descriptors: list[int]) -> None:
        self.lease = lease
        self.home = b"/"
        self.namespaces: list[tuple[int, int]] = []
        self.ruleset: tuple[int, int] | None = None
        self.filter = b""
        self.processes: int | None = None
        self.memory: int | None = None
        self.relays = False
        self.withhold: list[bytes] = []
        self.assign: dict[bytes, bytes] = {}
        self.notices: list[bytes] = []
        try:
            for field in fields:
                self._take(field[:1], field[1:], descriptors)
        except (ValueError, IndexError):
            raise protocol.ProtocolError("a number or a descriptor is missing") from None
        if not {kind for _, kind in self.namespaces} >= _REQUIRED:
            raise protocol.ProtocolError("a namespace is missing")

    def _take(self, kind: bytes, value: bytes, descriptors: list[int]) -> None:
        if kind == protocol.NAMESPACE:
            self.namespaces.append((descriptors.pop(0), int(value)))
        elif kind == protocol.RULESET:
            self.ruleset = descriptors.pop(0), int(value)
        elif kind == protocol.FILTER:
            self.filter = value
        elif kind == protocol.PROCESSES:
            self.processes = int(value)
        elif kind == protocol.MEMORY:
            self.memory = int(value)
        elif kind == protocol.RELAY:
            self.relays = True
        elif kind == protocol.HOME:
            self.home = value
        elif kind == protocol.WITHHOLD:
            self.withhold.append(value)
        elif kind == protocol.ASSIGN:
            name, _, text = value.partition(b"=")
            self.assign[name] = text
        elif kind == protocol.NOTICE:
            self.notices.append(value)


def receive(connection: _socket.socket) -> Answer | None:
    """The answer that comes next, or None when the connection was closed instead.

    Raises RefusedError, ProtocolError for what is no answer, and OSError.
    """
    message, descriptors = _receive(connection)
    if not message:
        return None
    kind, fields = protocol.unpack(message)
    if kind == protocol.ERROR and fields:
        raise RefusedError(fields[0].decode("utf-8", "surrogateescape"))
    if kind != protocol.OK:
        raise protocol.ProtocolError("not an answer")
    return Answer(connection, fields, descriptors)


def _receive(connection: _socket.socket) -> tuple[bytes, list[int]]:
    size = 4 * protocol.MAX_DESCRIPTORS
    message, ancillary, _, _ = connection.recvmsg(
        protocol.LIMIT, _socket.CMSG_SPACE(size), _socket.MSG_CMSG_CLOEXEC
    )
    descriptors: list[int] = []
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            for start in range(0, len(data) - 3, 4):
                descriptors.append(int.from_bytes(data[start : start + 4], sys.byteorder))
    return message, descriptors
