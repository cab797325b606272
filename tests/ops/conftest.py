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


@pytest.fixture(params=[False, True], ids=["local", "slow"])
def client(layout: Layout, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A view of it under the usual rules, with and without threads that make the calls."""
    client = Client(layout, slow=request.param)
    yield client
    client.operations.close()
