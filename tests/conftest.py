"""What holds for every test: an ordinary user, a tier, a home of its own, no jail left running."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model.profiles import FIXED_SEED, SEED_VARIABLE
from tests.support.home import FakeHome
from tests.support.jail import JailedVenv
from tests.support.processes import stop_jails
from tests.support.tiers import TIERS, count_by_tier, tier_of


def pytest_configure(config: pytest.Config) -> None:
    """Refuse root: a jail refuses it too, and hostile tests with its rights would do harm."""
    if os.getuid() == 0:
        pytest.exit("the tests do not run as root: `make test` runs them as a user", returncode=2)
    # Drawn here, where the workers that are started later inherit it.
    os.environ[SEED_VARIABLE] = os.environ.get(SEED_VARIABLE) or str(secrets.randbelow(1 << 32))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its tier."""
    for item in items:
        if (tier := tier_of(item.nodeid)) is not None:
            item.add_marker(tier)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests of each tier ran to an outcome."""
    outcomes = ("passed", "failed", "error", "xfailed", "xpassed")
    counts = count_by_tier(
        report.nodeid for key in outcomes for report in terminalreporter.getreports(key)
    )
    line = ", ".join(f"{tier} {counts[tier]}" for tier in TIERS)
    terminalreporter.write_line(f"tests by tier: {line}")
    if counts["model"]:
        fresh = os.environ[SEED_VARIABLE]
        terminalreporter.write_line(
            f"seeds of the model: {FIXED_SEED} and {fresh} (again: {SEED_VARIABLE}={fresh})"
        )


@pytest.fixture
def home(tmp_path: Path) -> FakeHome:
    """A home like a real user's, for this test alone."""
    return FakeHome(tmp_path / "home", runtime=tmp_path / "run")


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


@pytest.fixture(autouse=True)
def _no_jail_of_the_test_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the jails below the test's ``tmp_path``; a process that outlives its jail fails it."""
    if tier_of(request.node.nodeid) not in ("jail", "escape", "faults", "docs", "soak"):
        yield
        return
    tmp_path: Path = request.getfixturevalue("tmp_path")
    yield
    survivors = stop_jails(tmp_path)
    assert not survivors, f"still running after its supervisor was told to end: {survivors}"


@pytest.fixture(autouse=True, scope="session")
def _no_jail_of_the_session_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The same for the jails that several tests share."""
    yield
    survivors = stop_jails(tmp_path_factory.getbasetemp())
    assert not survivors, f"still running after its supervisor was told to end: {survivors}"
