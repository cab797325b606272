"""The same for many more steps: `make soak`."""

from __future__ import annotations

import os

import pytest

from tests.model.machines import MountedMachine, UnionMachine
from tests.model.profiles import fresh_seed, run_machine

pytestmark = [pytest.mark.soak, pytest.mark.timeout(6 * 3600)]

STEPS = int(os.environ.get("SOAK_STEPS", "100000"))


def test_the_operations_do_what_the_model_does() -> None:
    run_machine(UnionMachine, fresh_seed(), STEPS)


def test_a_mount_does_what_the_model_does() -> None:
    run_machine(MountedMachine, fresh_seed(), STEPS // 5)
