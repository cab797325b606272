"""Runs everywhere: rtnetlink(7), as much of it as a jail's own network takes.

Everything is about the network namespace of the caller.  Errors are OSError with the kernel's
errno.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_RTM_NEWADDR = 20
_RTM_GETADDR = 22
_RTM_NEWROUTE = 24
_RTM_GETROUTE = 26
_NLM_F_REQUEST = 0x001
_NLM_F_ACK = 0x004
_NLM_F_DUMP = 0x300
_NLM_F_CREATE = 0x400

_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_CACHEINFO = 6
_IFA_F_NODAD = 0x02
_FOREVER = 0xFFFFFFFF

_RTA_DST = 1
_RT_TABLE_MAIN = 254
_RTPROT_STATIC = 4
_RTN_UNICAST = 1
_RTN_UNREACHABLE = 7

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_ATTRIBUTE = struct.Struct("=HH")  # struct rtattr
_IFADDRMSG = struct.Struct("=BBBBI")
_RTMSG = struct.Struct("=BBBBBBBBI")
#: In every namespace: net/core/dev.c.
LOOPBACK_INDEX = 1


def addresses() -> list[str]:
    """All addresses of all interfaces, IPv4 and IPv6."""
    found = []
    for body in _dump(_RTM_GETADDR, _IFADDRMSG.pack(socket.AF_UNSPEC, 0, 0, 0, 0)):
        family = body[0]
        attributes = dict(_attributes(body[_IFADDRMSG.size :]))
        # On a point-to-point link IFA_ADDRESS is the peer's.
        raw = attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS))
        if family in (socket.AF_INET, socket.AF_INET6) and raw is not None:
            found.append(socket.inet_ntop(family, raw))
    return found


def has_default_route() -> bool:
    """Whether there is a way to everywhere, by IPv4 or IPv6."""
    for body in _dump(_RTM_GETROUTE, _RTMSG.pack(*[0] * 9)):
        _, destination_bits, _, _, table, _, _, kind, _ = _RTMSG.unpack_from(body)
        if (destination_bits, table, kind) == (0, _RT_TABLE_MAIN, _RTN_UNICAST):
            return True
    return False


def shut(address: str) -> None:
    """Make an address unreachable, for which a route is taken that leads nowhere."""
    family, raw = _packed(address)
    bits = 8 * len(raw)
    route = _RTMSG.pack(family, bits, 0, 0, _RT_TABLE_MAIN, _RTPROT_STATIC, 0, _RTN_UNREACHABLE, 0)
    change(_RTM_NEWROUTE, route + attribute(_RTA_DST, raw))


def take(address: str) -> None:
    """Give an address to each interface but the loopback, as none to send from."""
    family, raw = _packed(address)
    for index, _ in socket.if_nameindex():
        if index == LOOPBACK_INDEX:
            continue
        message = _IFADDRMSG.pack(family, 8 * len(raw), _IFA_F_NODAD, 0, index)
        # struct ifa_cacheinfo: no longer preferred, valid for ever.
        lifetimes = struct.pack("=IIII", 0, _FOREVER, 0, 0)
        attributes = attribute(_IFA_ADDRESS, raw) + attribute(_IFA_LOCAL, raw)
        change(_RTM_NEWADDR, message + attributes + attribute(_IFA_CACHEINFO, lifetimes))


def _packed(address: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


def _socket(protocol: int = 0) -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)


def change(kind: int, body: bytes, protocol: int = 0) -> None:
    """Ask the kernel to make what a message of this RTM_NEW* describes, unless it is there.

    Another ``protocol`` than NETLINK_ROUTE has kinds of its own; netlink(7).
    """
    flags = _NLM_F_REQUEST | _NLM_F_ACK | _NLM_F_CREATE
    with _socket(protocol) as kernel:
        kernel.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)
        for number, answer in _messages(kernel.recv(65536)):
            _refuse(number, answer, (0, errno.EEXIST))


def _dump(kind: int, body: bytes) -> Iterator[bytes]:
    flags = _NLM_F_REQUEST | _NLM_F_DUMP
    with _socket() as kernel:
        kernel.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)
        while True:
            for number, answer in _messages(kernel.recv(65536)):
                if number == _NLMSG_DONE:
                    return
                _refuse(number, answer, ())
                yield answer


def _refuse(number: int, answer: bytes, fine: tuple[int, ...]) -> None:
    if number != _NLMSG_ERROR:
        return
    code = -struct.unpack_from("=i", answer)[0]
    if code not in fine:
        raise OSError(code, os.strerror(code))


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data):
        length, number, _, _, _ = _HEADER.unpack_from(data, position)
        yield number, data[position + _HEADER.size : position + length]
        position += _aligned(length)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, position)
        yield kind, data[position + _ATTRIBUTE.size : position + length]
        position += _aligned(length)


def attribute(kind: int, value: bytes) -> bytes:
    """A struct rtattr with its value."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_aligned(length) - length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
