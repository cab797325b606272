"""What the tests of one module share: a home, a venv and its jail, a directory outside."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.requirements import require


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    """A home like a real user's, for all tests of a module; they may change its project only."""
    directory = tmp_path_factory.mktemp("shared")
    home = FakeHome(directory / "home", runtime=directory / "run")
    before = home.snapshot(without=home.project)
    yield home
    assert home.snapshot(without=home.project) == before


@pytest.fixture(scope="module")
def jail(shared_home: FakeHome) -> Iterator[JailedVenv]:
    """A venv without pip in the shared home's project; its jail runs from the first command on."""
    with JailedVenv(shared_home) as venv:
        yield venv


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of the user's that is neither in the home nor in the project."""
    require(
        not any(tmp_path.is_relative_to(place) for place in ("/tmp", "/var/tmp")),
        "the tests' own directory is in /tmp, which a jail replaces: choose another --basetemp",
    )
    directory = tmp_path / "outside"
    directory.mkdir()
    return directory


@pytest.fixture
def own_jail(home: FakeHome) -> Iterator[JailedVenv]:
    """A venv without pip and its jail, for this test alone, in its own home's project."""
    with JailedVenv(home) as venv:
        yield venv
