"""Builder and supervisor: what is decided about a jail before it exists.

The builder decides (``prepare``) and the supervisor takes the decisions over.
"""

from __future__ import annotations

import os
import pickle
from typing import NamedTuple

from venvjail.config.model import Config
from venvjail.jail import policy
from venvjail.jail.filestate import FileStates
from venvjail.jail.guards import Guards
from venvjail.jail.plan import Facts, Plan, make_plan
from venvjail.jail.walls import Walls
from venvjail.layout import VenvPaths
from venvjail.record import Record


class Prepared(NamedTuple):
    """Everything that is decided before the jail exists."""

    paths: VenvPaths
    record: Record
    config: Config
    config_files: FileStates
    """The files that ``config`` was read from, as they were before that."""
    facts: Facts
    guards: Guards
    walls: Walls
    placeholders: list[str]

    def plan(self) -> Plan:
        """The mounts of the jail."""
        allow = policy.proc_rules(self.config).allow
        return make_plan(self.facts, frozenset(os.fsdecode(name) for name in allow))


def hand_over(prepared: Prepared) -> int:
    """The decisions as a memfd, for the supervisor."""
    fd = os.memfd_create("venvjail", os.MFD_CLOEXEC)
    with open(os.dup(fd), "wb") as file:
        pickle.dump(prepared, file)
    return fd


def take_over(fd: int) -> Prepared:
    """What ``hand_over`` wrote.

    The memfd comes from a process that the supervisor forked and that had met nothing hostile yet.
    """
    with open(fd, "rb") as file:
        file.seek(0)
        prepared: Prepared = pickle.load(file)
    return prepared
