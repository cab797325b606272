"""Init (jail, before the pivot), doctor (host): refuse what is sent to an address, by policy.

An unreachable route does not do that: a socket that is bound to an interface (SO_BINDTODEVICE,
which any program may set) goes past it, since the kernel takes an address without a route for one
on that link (``ip_route_output_key_hash_rcu()`` in net/ipv4/route.c).  Multicast asks no route
either.  The policies of IPsec, ip-xfrm(8), are asked for each packet's way, after all of that; one
that blocks makes the call fail with EPERM.

They belong to the network namespace: whoever has no CAP_NET_ADMIN there can neither change them nor
exempt a socket (IP_XFRM_POLICY).
"""

from __future__ import annotations

import ipaddress
import socket
import struct

from venvjail.networks import netlink

UDP = socket.IPPROTO_UDP

_NETLINK_XFRM = 6
_XFRM_MSG_NEWPOLICY = 0x13
_XFRM_POLICY_OUT = 1
_XFRM_POLICY_BLOCK = 1
_FOREVER = (1 << 64) - 1  # XFRM_INF

# linux/xfrm.h: struct xfrm_selector, xfrm_lifetime_cfg and _cur, and the end of
# xfrm_userpolicy_info, each with its padding.
_SELECTOR = struct.Struct("=16s16s4HH3B3xiI")
_LIFETIMES = struct.Struct("=8Q32x")
_POLICY = struct.Struct("=2I4B4x")


def available() -> bool:
    """Whether the kernel has such policies (CONFIG_XFRM_USER), if need be as a module."""
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_XFRM).close()
    except OSError:
        return False
    return True


def block(network: str, *, protocol: int = 0, interface: int = 0) -> None:
    """Refuse what is sent to ``network``, ``198.51.100.7`` or ``224.0.0.0/4``; raises OSError.

    Only that of the IP ``protocol`` where one is given, and only what is sent by ``interface``,
    an index: where it is the socket's, or IPv4.
    """
    place = ipaddress.ip_network(network)
    family = socket.AF_INET if place.version == 4 else socket.AF_INET6
    destination, bits = place.network_address.packed, place.prefixlen
    selector = _SELECTOR.pack(destination, b"", 0, 0, 0, 0, family, bits, 0, protocol, interface, 0)
    lifetimes = _LIFETIMES.pack(*[_FOREVER] * 4, 0, 0, 0, 0)
    policy = _POLICY.pack(0, 0, _XFRM_POLICY_OUT, _XFRM_POLICY_BLOCK, 0, 0)
    netlink.change(_XFRM_MSG_NEWPOLICY, selector + lifetimes + policy, _NETLINK_XFRM)
