"""Builder and init (the jail's new network namespace): make it usable, and no more than that."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterable

from venvjail.errors import JailError
from venvjail.jail import netlink
from venvjail.jail.channel import CONNECTED

# netdevice(7)
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


def raise_loopback() -> None:
    """Bring ``lo`` up; a new network namespace has it, down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        answer = fcntl.ioctl(control, _SIOCGIFFLAGS, request)
        name, flags = struct.unpack("16sh14x", answer)
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", name, flags | _IFF_UP))


def await_connected(channel: socket.socket) -> None:
    """Wait until pasta has connected this namespace, or the supervisor has given it up."""
    if channel.recv(16) != CONNECTED:
        raise JailError("the supervisor has ended")


def shut(addresses: Iterable[str]) -> None:
    """Let nothing lead to ``addresses``; nobody in the jail has the right to undo it.

    pasta connects to them from the host, where they are the host's own.  The one that pasta has
    given to the jail's interface leads to the jail itself, and stays so.
    """
    for address in addresses:
        version_6 = ":" in address
        # A link-local address of IPv6 is looked up with its interface, past all other routes.
        close = netlink.take if version_6 and _is_link_local(address) else netlink.shut
        try:
            close(address)
        except OSError:
            if not version_6 or _speaks_ipv6():
                raise


def _is_link_local(address: str) -> bool:
    return ipaddress.ip_address(address).is_link_local


def _speaks_ipv6() -> bool:
    """Whether IPv6 leads out of this namespace; it may be switched off."""
    return any(":" in address and address != "::1" for address in netlink.addresses())
