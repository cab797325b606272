"""A home, a venv and a jail that the tests of one module share, and a plain venv beside them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.terminal import Terminal, bash


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
