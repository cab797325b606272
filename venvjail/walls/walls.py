"""Supervisor (host): what confines each process of a jail besides its namespaces.

Decided before the jail is built, handed to its init, and by the supervisor to every command.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from venvjail.config.model import Config
from venvjail.planning.plan import Facts
from venvjail.walls import landlock

log = logging.getLogger("venvjail.walls.walls")


class Walls(NamedTuple):
    """``grants`` is None where the kernel has no Landlock, ``filter`` where we have no filter."""

    grants: tuple[landlock.Grant, ...] | None
    filter: bytes | None


def decide(facts: Facts, config: Config) -> Walls:
    """The walls for a jail on this machine; what is missing is logged."""
    from venvjail.walls import (
        seccomp,  # the supervisor, which takes the walls over, has no use of it
    )

    grants = None
    if landlock.usable():
        grants = landlock.jail_grants(facts)
    else:
        log.warning("the kernel has no usable Landlock: the jail has one wall less")
    program = seccomp.program(user_namespaces=config.jail.user_namespaces.value)
    if program is None:
        log.warning("no seccomp filter for this machine: system calls are not filtered")
    return Walls(grants, program)
