"""Init (jail's namespaces): open what tells the supervisor how much memory the jail holds.

The supervisor never enters the jail's namespaces, but a descriptor made in them reads the same
everywhere (`venvjail.memory.readings`).
"""

from __future__ import annotations

import os

from venvjail.planning.plan import Plan, Tmpfs


class Gauges:
    """Of the jail that ``plan`` has made; made before the pivot.

    The jail's own procfs has the table of System V segments covered, and any procfs shows the
    namespace of who opens it (sysvipc_proc_open() in the kernel's ipc/util.c).
    """

    def __init__(self, plan: Plan) -> None:
        try:
            self._segments = _open("/proc/sysvipc/shm")
        except FileNotFoundError:
            self._segments = _open("/dev/null")  # a kernel that has none: CONFIG_SYSVIPC
        steps = (step for step in plan if isinstance(step, Tmpfs))
        self._places = [step.target for step in steps if step.most is not None]

    def open(self) -> list[int]:
        """The descriptors, as `venvjail.memory.readings.Sources` has them; after the pivot."""
        return [_open("/proc"), self._segments, *map(_open, self._places)]


def _open(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
