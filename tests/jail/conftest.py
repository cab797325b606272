"""What the tests of one module share: a home, a venv and its jail, a plain venv, a terminal."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.requirements import require
from tests.support.terminal import Terminal, bash


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHome]:
    """A home like a real user's, for all tests of a module; they may change its project only."""
    directory = tmp_path_factory.mktemp("shared")
    home = FakeHome(directory / "home", runtime=directory / "run")
    before = home.snapshot(without=home.project)
    yield home
    assert home.snapshot(without=home.project) == before


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


@pytest.fixture(scope="module")
def plain(shared_home: FakeHome) -> Path:
    """The python of a venv that ``python -m venv`` made, beside the jailed one."""
    env = shared_home.project / "plain"
    shared_home.check([sys.executable, "-m", "venv", "--without-pip", env])
    return env / "bin/python"


@pytest.fixture(params=["plain", "jailed"])
def python(request: pytest.FixtureRequest, jail: JailedVenv, plain: Path) -> Path:
    """One after the other, the python of a plain venv and that of a jailed one.

    What holds for the first is what the second has to be like.
    """
    return plain if request.param == "plain" else jail.bin / "python"


@pytest.fixture
def terminal(shared_home: FakeHome) -> Iterator[Terminal]:
    """An interactive bash on the host, in the shared home's project, at its prompt."""
    with bash(env=shared_home.env, cwd=shared_home.project) as shell:
        yield shell
