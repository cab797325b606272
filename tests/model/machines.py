"""The two machines: the operations called directly, and programs' calls on a real mount."""

from __future__ import annotations

from fusefs.rules import Rule
from tests.model.driver import Driver, InProcess
from tests.model.held_steps import HeldSteps
from tests.model.host_steps import HostSteps
from tests.model.jail_steps import JailSteps
from tests.model.mounted import Mounted
from tests.support.layouts import Layout

FEW_INODES = 4


class UnionMachine(JailSteps, HeldSteps, HostSteps):
    """In process, where so few inodes keep a descriptor that most are found again each time."""

    def make_driver(self, layout: Layout, rules: list[Rule]) -> Driver:
        return InProcess(layout, rules, FEW_INODES)


class MountedMachine(JailSteps, HeldSteps, HostSteps):
    """On a mount."""

    def make_driver(self, layout: Layout, rules: list[Rule]) -> Driver:
        return Mounted(layout, rules)
