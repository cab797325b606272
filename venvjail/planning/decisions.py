"""Builder and supervisor: what is decided about a jail before it exists.

The builder decides (``prepare``) and the supervisor takes the decisions over.
"""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING, NamedTuple, cast

from venvjail.config.model import Config, NetworkMode, Origin, Setting
from venvjail.layout import VenvPaths
from venvjail.planning import policy
from venvjail.planning.filestate import FileStates
from venvjail.planning.guards import Guards
from venvjail.planning.plan import Facts, Plan, make_plan
from venvjail.record import Record
from venvjail.walls.walls import Walls

if TYPE_CHECKING:
    from venvjail.networks.isolation import Isolation


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
    isolation: Isolation | None
    """None unless the jail's network is ``isolated``."""
    asked_network: str
    """What ``--network`` said, which is in ``config``; empty where it was not given."""
    usual_network: str
    """``[network] mode`` of the config files."""

    def plan(self) -> Plan:
        """The mounts of the jail."""
        allow = policy.proc_rules(self.config).allow
        return make_plan(self.facts, frozenset(os.fsdecode(name) for name in allow))


def with_network(config: Config, mode: str) -> Config:
    """``config`` with what ``--network`` said in place of its mode; as it is for an empty one."""
    if not mode:
        return config
    setting = Setting(cast(NetworkMode, mode), Origin("--network"))
    return config._replace(network=config.network._replace(mode=setting))


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
