"""Init (the jail's namespaces, before the pivot): the network of an isolated jail."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Collection
from functools import partial

from venvjail.building.channel import CONNECTED
from venvjail.errors import JailError
from venvjail.networks import netlink, xfrm

#: What a host takes for itself, besides its addresses.
_LOOPBACK = ("127.0.0.0/8", "0.0.0.0", "::1", "::")
_GROUPS = ("224.0.0.0/4", "255.255.255.255", "ff00::/8")


def await_connected(channel: socket.socket) -> None:
    """Wait until pasta has connected this namespace, or the supervisor has given it up."""
    if channel.recv(16) != CONNECTED:
        raise JailError("the supervisor has ended")


def shut(addresses: Collection[str]) -> None:
    """Let nothing lead to ``addresses``; nobody in the jail has the right to undo it.

    pasta connects to them from the host, where they are the host's own.  The one that pasta has
    given to the jail's interface leads to the jail itself, and stays so.
    """
    for address in addresses:
        # A link-local address of IPv6 is looked up with its interface, past all other routes.
        close = netlink.take if address.startswith("fe80:") else netlink.shut
        _where_spoken(address, close)
    own = netlink.addresses()
    for address in addresses:
        if address not in own:
            _where_spoken(address, xfrm.block)
    _shut_the_hosts_loopback()
    _shut_multicast()


def _shut_the_hosts_loopback() -> None:
    """For a socket that is bound to the interface, the jail's loopback is no place of the jail's.

    The versions of pasta that were tried drop such packets.
    """
    for index, _ in socket.if_nameindex():
        if index != netlink.LOOPBACK_INDEX:
            for network in _LOOPBACK:
                _where_spoken(network, partial(xfrm.block, interface=index))


def _shut_multicast() -> None:
    """What pasta sends to a group comes back to those of the host that listen to it.

    mDNS, SSDP and LLMNR are asked so, and answer.  The kernel's own messages to groups, without
    which IPv6 does not work, are not UDP.
    """
    for network in _GROUPS:
        _where_spoken(network, partial(xfrm.block, protocol=xfrm.UDP))


def _where_spoken(network: str, close: Callable[[str], None]) -> None:
    try:
        close(network)
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            raise JailError(
                "this kernel has no IPsec policies (CONFIG_XFRM_USER), which network.mode "
                '"isolated" needs to shut addresses; as root: modprobe xfrm_user; or use "none" '
                "(nothing was run)"
            ) from error
        if ":" not in network or _speaks_ipv6():
            raise


def _speaks_ipv6() -> bool:
    """Whether IPv6 leads out of this namespace; it may be switched off."""
    return any(":" in address and address != "::1" for address in netlink.addresses())
