"""The union view against its model: any sequence of steps has the same results in both."""

from __future__ import annotations

import pytest

from tests.model.machines import MountedMachine, UnionMachine
from tests.model.profiles import FIXED_SEED, fresh_seed, run_machine

pytestmark = pytest.mark.timeout(600)  # seconds on a machine that does much else

SEEDS = pytest.mark.parametrize("seed", ["fixed", "fresh"])


def number_of(seed: str) -> int:
    return FIXED_SEED if seed == "fixed" else fresh_seed()


@SEEDS
def test_the_operations_do_what_the_model_does(seed: str) -> None:
    run_machine(UnionMachine, number_of(seed), steps=3_000)


@SEEDS
def test_a_mount_does_what_the_model_does(seed: str) -> None:
    run_machine(MountedMachine, number_of(seed), steps=600)
