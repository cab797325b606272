"""What the faults of one module strike: a home, and a venv in its project with its jail."""

from collections.abc import Iterator

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> FakeHome:
    """A home like a real user's, for all tests of a module."""
    directory = tmp_path_factory.mktemp("shared")
    return FakeHome(directory / "home", runtime=directory / "run")


@pytest.fixture(scope="module")
def jail(shared_home: FakeHome) -> Iterator[JailedVenv]:
    """A venv without pip in the shared home's project; its jail runs from the first command on."""
    with JailedVenv(shared_home) as venv:
        yield venv


@pytest.fixture
def own_jail(home: FakeHome) -> Iterator[JailedVenv]:
    """A venv without pip and its jail, for this test alone, in its own home's project."""
    with JailedVenv(home) as venv:
        yield venv
