"""Builder (the jail's new network namespace): make it usable."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct

# netdevice(7)
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
_PING_GROUPS = "/proc/sys/net/ipv4/ping_group_range"


def allow_ping() -> None:
    """Let ping(8) work without a capability, as outside on most distributions; icmp(7)."""
    group = os.getgid()
    with contextlib.suppress(OSError), open(_PING_GROUPS, "w", encoding="ascii") as file:
        file.write(f"{group} {group}")


def raise_loopback() -> None:
    """Bring ``lo`` up; a new network namespace has it, down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        answer = fcntl.ioctl(control, _SIOCGIFFLAGS, request)
        name, flags = struct.unpack("16sh14x", answer)
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", name, flags | _IFF_UP))
