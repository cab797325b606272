"""What a jail takes of the machine stays the same, however much is run in it."""

from tests.support.crowds import MEBIBYTE, run_commands, walk
from tests.support.jail import JailedVenv


def test_a_hundred_commands_leave_nothing(own_jail: JailedVenv) -> None:
    first, last = run_commands(own_jail, 100)
    last.check_against(first)


def test_a_walk_takes_no_descriptors(own_jail: JailedVenv) -> None:
    own_jail.python("pass")
    first, second = walk(own_jail, directories=20, files=100, times=2)
    assert second.descriptors <= first.descriptors
    assert second.memory < first.memory + 2 * MEBIBYTE
