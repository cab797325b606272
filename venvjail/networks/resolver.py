"""Builder and command line (host): the name servers of a jail with a network of its own.

A server on the host's loopback, as systemd-resolved's 127.0.0.53 is, is out of the jail's reach.
Its place in resolv.conf(5) takes an address at which pasta passes questions on to it.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Collection
from typing import NamedTuple

_RESOLV_CONF = "/etc/resolv.conf"

#: pasta answers at these, by the version of IP: nobody has the first (RFC 3927) but on one link,
#: and the second is of a prefix that no generator of unique local addresses makes (RFC 4193).
FORWARD = {4: "169.254.1.1", 6: "fd00:53::53"}


class Resolver(NamedTuple):
    """What the jail has for ``/etc/resolv.conf``.

    ``path`` is the real path of that file, ``forward`` the addresses in ``content`` that pasta has
    to pass on.
    """

    path: str
    content: bytes
    forward: tuple[str, ...]


def find(shut: Collection[str]) -> Resolver | None:
    """What differs from the host's file; None where the jail can use that as it is.

    ``shut`` are addresses that the jail does not reach, besides the loopback's.
    """
    try:
        with open(_RESOLV_CONF, "rb") as file:
            text = file.read()
    except OSError:
        return None
    content, forward = rewritten(text, shut)
    if not forward:
        return None
    return Resolver(os.path.realpath(_RESOLV_CONF), content, forward)


def rewritten(text: bytes, shut: Collection[str]) -> tuple[bytes, tuple[str, ...]]:
    """The text of a resolv.conf(5) for the jail, and the addresses in it to be passed on."""
    lines: list[bytes] = []
    forward: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == b"nameserver":
            address = _replaced(words[1].decode("ascii", "replace"), shut)
            if address is not None:
                line = b"nameserver " + address.encode()
                if address in forward:
                    continue
                forward.append(address)
        lines.append(line)
    return b"".join(line + b"\n" for line in lines), tuple(forward)


def _replaced(word: str, shut: Collection[str]) -> str | None:
    """What stands for a name server out of reach; None for one in reach."""
    try:
        address = ipaddress.ip_address(word)
    except ValueError:
        return None
    # 0.0.0.0 is the host itself, for a resolver as for connect(2).
    if address.is_loopback or address.is_unspecified or word in shut:
        return FORWARD[address.version]
    return None
