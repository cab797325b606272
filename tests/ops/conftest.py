"""A host home, and the operations on it without a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.clients import Client
from tests.support.layouts import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A populated home."""
    return Layout.make(tmp_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Where a module says so, run its tests again with threads that make the calls."""
    if "client" in metafunc.fixturenames:
        slow = getattr(metafunc.module, "ALSO_SLOW", False)
        speeds = {"local": False, "slow": True} if slow else {"local": False}
        metafunc.parametrize("client", speeds.values(), ids=speeds, indirect=True)


@pytest.fixture
def client(layout: Layout, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A view of it under the usual rules."""
    client = Client(layout, slow=request.param)
    yield client
    client.operations.close()
