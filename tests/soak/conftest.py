"""What the long loops run in: a venv of each test's own."""

from collections.abc import Iterator

import pytest

from tests.support.home import FakeHome
from tests.support.jail import JailedVenv


@pytest.fixture
def own_jail(home: FakeHome) -> Iterator[JailedVenv]:
    """A venv without pip and its jail, for this test alone, in its own home's project."""
    with JailedVenv(home) as venv:
        yield venv
