"""Runs in a user and mount namespace of its own: mounts FUSE there, then runs a program.

``python -m tests.support.namespace_mounter SOCKET_FD MOUNTPOINT PROGRAM...``: sends the descriptor
of /dev/fuse over the socket, waits for a byte that says it is served, and execs the program.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_NOSUID_NODEV = 2 | 4


def main() -> None:
    channel = socket.socket(fileno=int(sys.argv[1]))
    mountpoint, program = sys.argv[2], sys.argv[3:]
    uid, gid = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode=40000,user_id={uid},group_id={gid},default_permissions,allow_other"
    _check(libc.mount(b"view", os.fsencode(mountpoint), b"fuse", MS_NOSUID_NODEV, options.encode()))
    socket.send_fds(channel, [b"f"], [fd])
    os.close(fd)
    assert channel.recv(1) == b"s"
    os.execvp(program[0], program)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
