"""Init (the jail's namespaces, before the pivot): the network of an isolated jail."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from venvjail.building.channel import CONNECTED
from venvjail.errors import JailError
from venvjail.networks import netlink


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
        close = netlink.take if address.startswith("fe80:") else netlink.shut
        try:
            close(address)
        except OSError:
            if not version_6 or _speaks_ipv6():
                raise


def _speaks_ipv6() -> bool:
    """Whether IPv6 leads out of this namespace; it may be switched off."""
    return any(":" in address and address != "::1" for address in netlink.addresses())
