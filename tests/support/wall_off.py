"""A jail without one of its walls, for controls: what the wall stops has to succeed then."""

import os
import socket
import threading
from contextlib import suppress
from types import TracebackType

from tests.support.jail import JailedVenv
from venvjail import protocol

FILTER = protocol.FILTER
RULESET = protocol.RULESET


class WallOff:
    """While the context lasts, commands of the running jail of ``venv`` join without ``wall``.

    The entries find this object at the place of the control socket; it passes their requests on to
    the supervisor and the answers back, but for the field that puts up the wall.
    """

    def __init__(self, venv: JailedVenv, wall: bytes) -> None:
        self._wall = wall
        self._control = venv.paths.run + "/control"
        self._kept = venv.paths.run + "/kept"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> None:
        os.rename(self._control, self._kept)
        self._listener.bind(self._control)
        self._listener.listen()
        self._threads[0].start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(2)
        for thread in self._threads:
            thread.join()
        self._listener.close()
        os.rename(self._kept, self._control)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                entry, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._converse, args=(entry,)))
                self._threads[-1].start()

    def _converse(self, entry: socket.socket) -> None:
        with entry, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as supervisor:
            supervisor.connect(self._kept)
            while request := entry.recv(protocol.LIMIT):
                supervisor.send(request)
                answer, descriptors, _, _ = socket.recv_fds(
                    supervisor, protocol.LIMIT, protocol.MAX_DESCRIPTORS
                )
                if answer:
                    self._answer(entry, answer, descriptors)
                for fd in descriptors:
                    os.close(fd)

    def _answer(self, entry: socket.socket, answer: bytes, descriptors: list[int]) -> None:
        kind, fields = protocol.unpack(answer)
        carriers = [field for field in fields if field[:1] in (protocol.NAMESPACE, RULESET)]
        kept = [
            fd for fd, field in zip(descriptors, carriers, strict=True) if field[:1] != self._wall
        ]
        fields = [field for field in fields if field[:1] != self._wall]
        socket.send_fds(entry, [protocol.pack(kind, fields)], kept)
