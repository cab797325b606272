"""What a jail takes of the machine stays the same over days of work."""

import pytest

from tests.support.crowds import list_many_names, run_commands, walk
from tests.support.jail import JailedVenv

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


def test_a_thousand_commands_leave_nothing(own_jail: JailedVenv) -> None:
    first, last = run_commands(own_jail, 1000)
    print(first, last, sep="\n")  # noqa: T201 - the figures, with -s
    last.check_against(first)


def test_walks_through_two_hundred_thousand_inodes(own_jail: JailedVenv) -> None:
    own_jail.python("pass")
    found = walk(own_jail, directories=1000, files=200, times=3)
    print(*found, sep="\n")  # noqa: T201 - the figures, with -s
    first, last = found[0], found[-1]
    assert last.descriptors <= first.descriptors + 10
    assert last.threads <= first.threads
    assert last.memory < 1.05 * first.memory


def test_a_directory_of_a_hundred_thousand_names(own_jail: JailedVenv) -> None:
    list_many_names(own_jail, 100_000)
