"""A view on a real mount, its server in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.layouts import Layout
from tests.support.mounts import MountedView


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A populated home."""
    return Layout.make(tmp_path)


@pytest.fixture
def view(layout: Layout) -> Iterator[MountedView]:
    """A mounted view of it under the usual rules."""
    with MountedView(layout) as view:
        yield view
