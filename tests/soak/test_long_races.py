"""Starts, stops, ends and crashes that meet, hundreds of times."""

import random

import pytest

from tests.support.jail import JailedVenv
from tests.support.races import command_against_linger, kill_while_it_starts, start_against_stop
from tests.support.running import running, said, supervisors, waiters

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


def test_a_hundred_commands_start_one_jail_again_and_again(own_jail: JailedVenv) -> None:
    for _ in range(20):
        own_jail.stop()
        with waiters(own_jail, 100) as commands:
            assert len({said(command) for command in commands}) == 1
            assert supervisors(own_jail) == [running(own_jail).supervisor]
            for command in commands:
                assert command.communicate("\n", timeout=60) == ("", "")


def test_start_racing_stop(own_jail: JailedVenv) -> None:
    start_against_stop(own_jail, rounds=300)


def test_start_racing_the_idle_end(own_jail: JailedVenv) -> None:
    command_against_linger(own_jail, rounds=500, jails=500)


def test_the_supervisor_is_killed_at_any_moment_of_its_start(own_jail: JailedVenv) -> None:
    chance = random.Random(6)
    kill_while_it_starts(own_jail, (chance.uniform(0, 0.4) for _ in range(200)))
