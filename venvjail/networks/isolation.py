"""Builder (still in the host's namespaces): decide about the network of an isolated jail.

Packets leave it through pasta(1), of the distribution's package ``passt``: a process of the host,
which opens an ordinary socket for each connection of the jail.  What is decided here is what it is
told to do, and what must stay out of reach although pasta could reach it.
"""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from collections.abc import Iterable
from typing import NamedTuple

from venvjail.config.model import Config, Publish
from venvjail.errors import JailError
from venvjail.networks import netlink
from venvjail.networks.resolver import Resolver

#: Not PATH: a directory in it may be one that a jail writes to.
_PLACES = ("/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin")
_HELP_SECONDS = 10.0

#: Ports lead to the loopback of the namespace, where development servers listen.  Versions before
#: 2024_10 lead there always, and do not know the option.
_TO_LOOPBACK = "--host-lo-to-ns-lo"

#: Where clouds hand out a machine's credentials, or a container's, to whoever asks.
_METADATA = (
    "169.254.169.254",  # AWS, Azure, Google, Oracle, OpenStack, Hetzner, DigitalOcean and others
    "fd00:ec2::254",
    "fd20:ce::254",  # Google
    "fe80::a9fe:a9fe",  # OpenStack
    "169.254.170.2",  # AWS ECS
    "169.254.170.23",  # AWS EKS
    "fd00:ec2::23",
    "100.100.100.200",  # Alibaba
    "168.63.129.16",  # Azure's WireServer
    "192.0.0.192",  # Oracle, IBM
)


class Isolation(NamedTuple):
    """The network of one isolated jail.

    ``command`` is pasta's, to which the process is added whose network it is; ``shut`` are the
    addresses that must not be reached; ``has_way_out`` is whether this machine is on a network.
    """

    command: tuple[str, ...]
    shut: tuple[str, ...]
    has_way_out: bool


def pasta() -> str | None:
    """The path of pasta, None where it is not installed."""
    paths = (f"{directory}/pasta" for directory in _PLACES)
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def shut() -> tuple[str, ...]:
    """The addresses of this machine, but for the loopback's, and those with its credentials.

    The loopback needs no shutting: the jail has one of its own.
    """
    own = [address for address in netlink.addresses() if not _is_loopback(address)]
    return tuple(dict.fromkeys([*own, *_METADATA]))


def decide(config: Config, resolver: Resolver | None) -> Isolation:
    """How the jail of ``config`` is connected; JailError where it cannot be."""
    program = pasta()
    if program is None:
        raise JailError(_missing(config))
    for publish in config.network.publish:
        _refuse_occupied(publish)
    forward = resolver.forward if resolver is not None else ()
    to_loopback = bool(config.network.publish) and _knows(program, _TO_LOOPBACK)
    words = command(program, config.network.publish, forward, to_loopback=to_loopback)
    return Isolation(words, shut(), netlink.has_default_route())


def command(
    program: str, publish: Iterable[Publish], forward: Iterable[str], *, to_loopback: bool
) -> tuple[str, ...]:
    """pasta's command line; ``to_loopback`` says whether it has to be told where ports lead to."""
    words = [program, "--foreground", "--quiet", "--config-net"]
    # Its process id goes there once it is ready.
    words += ["--pid", "/proc/self/fd/1"]
    # By default the host's loopback is at the gateway's address, and each port that a program of
    # the host listens at is open in the jail, and the other way round.
    words += ["--no-map-gw", "--tcp-ns", "none", "--udp-ns", "none", "--udp-ports", "none"]
    # The addresses are set by --config-net: nobody asks for any.
    words += ["--no-dhcp", "--no-dhcpv6", "--no-ra"]
    for address in forward:
        words += ["--dns-forward", address]
    ports = [f"{item.address}/{item.host}:{item.jail}" for item in publish]
    for port in ports or ["none"]:
        words += ["--tcp-ports", port]
    if to_loopback:
        words.append(_TO_LOOPBACK)
    return tuple(words)


def _knows(program: str, option: str) -> bool:
    """Whether pasta has an option.

    By its exit status: what --help prints into a pipe is cut off in the versions of 2025.
    """
    try:
        done = subprocess.run(
            [program, option, "--help"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_HELP_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JailError(f"{program} cannot be run: {error}; install passt anew") from error
    return done.returncode == 0


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _missing(config: Config) -> str:
    # Only for this line: no start of a jail should wait for it.
    from venvjail.doctor.remedies import same_everywhere, this_distribution

    install = this_distribution().install(same_everywhere("passt"))
    return (
        f'{config.network.mode.origin}: network.mode "isolated" needs pasta, which is not '
        f'installed: {install}; or use "none" or "host" (nothing was run)'
    )


def _refuse_occupied(publish: Publish) -> None:
    """A port that cannot be listened at is the likeliest of what can go wrong: say which it is."""
    family = socket.AF_INET6 if ":" in publish.address else socket.AF_INET
    try:
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((publish.address, publish.host))
            listener.listen()
    except OSError as error:
        reason, remedy = error.strerror, "choose another"
        if error.errno == errno.EADDRINUSE:
            reason = "another program listens there, or the jail of another venv"
            remedy = "end it (venvjail status) or choose another port"
        raise JailError(
            f"{publish.origin}: network.publish: {publish.address}:{publish.host}: {reason}; "
            f"{remedy}"
        ) from error
