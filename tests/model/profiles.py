"""How long a machine runs, and from which seed."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

STEPS = 50
FIXED_SEED = 1
SEED_VARIABLE = "VENVJAIL_MODEL_SEED"


def fresh_seed() -> int:
    """The seed of this run, which `tests.conftest` draws and prints, or the user sets."""
    return int(os.environ[SEED_VARIABLE])


def run_machine(machine: type[RuleBasedStateMachine], start: int, steps: int) -> None:
    """Run ``machine`` from the seed ``start`` for about so many steps, a few of them at a time.

    One failure is made smaller and reported with its steps; the same seed and the same number of
    steps bring it again.
    """
    profile = settings(
        max_examples=steps // STEPS,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(seed(start)(machine), settings=profile)
