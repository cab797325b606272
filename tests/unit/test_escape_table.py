"""docs/escapes.md: each of the 30 rows has its tests and controls, and those exist."""

import re

import pytest

from tests.support.home import TREE
from tests.support.named_tests import exists, named_in

TABLE = (TREE / "docs/escapes.md").read_text(encoding="utf-8")


def rows() -> dict[int, list[str]]:
    """The cells of each numbered row."""
    lines = (line for line in TABLE.splitlines() if re.match(r"\| \d+ \|", line))
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {int(row[0]): row[1:] for row in cells}


def test_every_row_is_there_and_whole() -> None:
    assert sorted(rows()) == list(range(1, 31))
    for cells in rows().values():
        assert len(cells) == 4
        assert all(cells)
        assert "::test_" in cells[2]


@pytest.mark.parametrize("name", named_in("docs/escapes.md"))
def test_every_test_named_exists(name: str) -> None:
    assert exists(name)
