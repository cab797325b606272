"""Supervisor (host): who is at the other end of a connection.

The control socket lies in a directory of the user's, mode 0700.  A program of another venv's jail
runs with that uid too, and where the venv lies outside of what its own jail hides, it finds the
socket: a read-only mount does not stop connect(2).
"""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

_SO_PEERPIDFD = 77  # Linux 6.5; asm-generic/socket.h


class Peer(NamedTuple):
    """The process that connected: its pid here, and whether it is trusted to command a jail."""

    pid: int
    trusted: bool


def of(connection: socket.socket) -> Peer:
    """Who connected.  Trusted is a process of our user that lives in our own PID namespace.

    Jailed programs, those of other sandboxes too, are in one below it, and can never leave that.
    """
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", raw)
    return Peer(pid, uid == os.getuid() and _levels(connection, pid) == 1)


def _levels(connection: socket.socket, pid: int) -> int:
    """In how many PID namespaces, from ours on, the peer has a number; 0 where it has ended."""
    try:
        pidfd = _pidfd(connection, pid)
    except OSError:
        return 0
    try:
        with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as file:
            fields = dict(line.split(":", 1) for line in file)
    finally:
        os.close(pidfd)
    numbers = fields.get("NSpid", "").split()
    return 0 if numbers[:1] in ([], ["0"], ["-1"]) else len(numbers)


def _pidfd(connection: socket.socket, pid: int) -> int:
    """The peer itself where the kernel has kept it, not whoever has its number by now."""
    try:
        return connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
    except OSError:
        return os.pidfd_open(pid)
