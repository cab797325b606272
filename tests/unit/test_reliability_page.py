"""docs/reliability.md: every row has its test, and every test named exists."""

import pytest

from tests.support.home import TREE
from tests.support.named_tests import exists, named_in

PAGE = "docs/reliability.md"


def test_every_row_names_a_test() -> None:
    promised, heading, _ = (TREE / PAGE).read_text(encoding="utf-8").partition("## What was run")
    assert heading, "tables of figures follow"
    rows = [
        line
        for line in promised.splitlines()
        if line.startswith("| ") and not line.startswith("| what |")
    ]
    assert len(rows) > 30
    for row in rows:
        cells = row.strip("|").split("|")
        assert len(cells) == 3
        assert "::test_" in cells[2]


@pytest.mark.parametrize("name", named_in(PAGE))
def test_every_test_named_exists(name: str) -> None:
    assert exists(name)
