"""Supervisor, builder and init: the messages on the socket pair between host and jail.

SOCK_SEQPACKET, one message a packet, inherited by fork and never reachable by a jailed process.
"""

from __future__ import annotations

from venvjail import syscalls
from venvjail.config.model import Config

NAMESPACES = (
    (syscalls.CLONE_NEWUSER, "user"),
    (syscalls.CLONE_NEWNS, "mnt"),
    (syscalls.CLONE_NEWPID, "pid"),
    (syscalls.CLONE_NEWIPC, "ipc"),
)
"""CLONE_NEW* flags and names below /proc/PID/ns; the user namespace has to be joined first."""

NETWORK = (syscalls.CLONE_NEWNET, "net")
"""The namespace that a jail has of its own unless ``[network] mode`` is ``host``."""

PREPARED = b"P"
"""Builder to supervisor, first of all, with a memfd: what was decided (``decisions.take_over``)."""
VIEW_MOUNTED = b"F"
"""Builder to supervisor, with the descriptor of /dev/fuse: the view can be served."""
JAIL_READY = b"R"
"""Init to supervisor, with the namespace files, where the kernel has Landlock a ruleset, and where
memory is limited the gauges of it (``gauges.Gauges``)."""
FAILED = b"E"
"""Builder or init to supervisor, followed by an exit status of three digits and one line."""
ADOPTED = b"A"
"""Supervisor to init: the builder has exited and you are my child now.  Not answered."""
COUNT = b"?"
"""Supervisor to init: how many processes are in the jail besides you?  Answered in decimal."""
LOST = b"L"
"""Init to supervisor, followed by a path: what was mounted there in the jail is no more."""
CONNECTED = b"N"
"""Supervisor to init: pasta has connected your network, or there is nothing to connect it to."""
INIT_PID = b"I"
"""Builder to supervisor, followed by init's pid on the host in decimal."""


def namespaces(config: Config) -> tuple[tuple[int, str], ...]:
    """The namespaces of a jail, in the order in which they are joined."""
    return NAMESPACES if config.network.mode.value == "host" else (*NAMESPACES, NETWORK)
