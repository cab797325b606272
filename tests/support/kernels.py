"""Let this process, and what it becomes, find a kernel that lacks something.

A seccomp filter answers as such a kernel does; the rest of the kernel is the real one.
"""

import errno
import os
import socket
import struct

from venvjail import syscalls

_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARGUMENTS = 0, 16
_NR_SOCKET = {"x86_64": 41, "aarch64": 198}
_NETLINK_XFRM = 6


def without_call(number: int) -> None:
    """No kernel has had the system call ``number`` yet."""
    _refuse([(_NUMBER, number)], errno.ENOSYS)


def without_xfrm() -> None:
    """It was made without IPsec policies, CONFIG_XFRM_USER."""
    number = _NR_SOCKET[os.uname().machine]
    family = (_ARGUMENTS, socket.AF_NETLINK)
    _refuse([(_NUMBER, number), family, (_ARGUMENTS + 16, _NETLINK_XFRM)], errno.EPROTONOSUPPORT)


def _refuse(conditions: list[tuple[int, int]], code: int) -> None:
    program = b""
    for index, (offset, value) in enumerate(conditions):
        left = 2 * (len(conditions) - index) - 1
        program += struct.pack("<HBBI", _LOAD, 0, 0, offset)
        program += struct.pack("<HBBI", _IF_EQUAL, 0, left, value)
    program += struct.pack("<HBBI", _RETURN, 0, 0, _ERRNO | code)
    program += struct.pack("<HBBI", _RETURN, 0, 0, _ALLOW)
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.install_filter(program)
