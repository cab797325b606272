"""What the attacks of one module share: a home, and a venv in its project with its jail."""

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
