"""What others wrote runs in the home of a jail as it runs without: a part of ``make suites``."""

import sys
from pathlib import Path
from subprocess import run

import pytest

from tests.suites import cpython, own
from tests.suites.compare import Trial, differences, load_expected, stale, unexpected
from tests.suites.subject import Arena, jailed_subject, plain_subject
from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.requirements import require

#: Those about files that take seconds.
MODULES = ("test_os", "test_posix", "test_shutil", "test_tempfile")
TRIALS = [
    *(trial for trial in cpython.trials() if trial.name in MODULES),
    *(own.random_io(1, 3000), own.database(), own.repository(30)),
]

pytestmark = pytest.mark.timeout(300)  # a module of CPython's is not one test


@pytest.fixture(scope="module")
def arena(shared_home: FakeHome, jail: JailedVenv, plain: Path) -> Arena:
    return Arena(plain_subject(shared_home, plain), jailed_subject(jail))


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_ends_as_without_a_jail(arena: Arena, trial: Trial) -> None:
    if trial.suite == "cpython":
        require(_has_tests(), "CPython's own tests are missing: make setup installs them on Debian")
    # In the project, since a test must leave the home as it was.
    plain = trial.run(arena.plain, arena.plain.home.project / trial.name)
    found = differences(
        trial.suite, "view", plain, trial.run(arena.jailed, arena.directory("view", trial.name))
    )
    assert list(plain.values()).count("ok") > 5
    assert unexpected(found, load_expected()) == []
    assert stale(trial.suite, "view", plain, found, load_expected()) == []


def _has_tests() -> bool:
    """Whether the interpreter has CPython's tests, which it lists without running them."""
    listing = run([sys.executable, "-m", "test", "--list-tests"], capture_output=True, text=True)
    return set(MODULES) <= {*listing.stdout.split()}
