"""docs/escapes.md: each of the 30 rows has its tests and controls, and those exist."""

import ast
import re
from pathlib import Path

import pytest

from tests.support.home import TREE

TABLE = (TREE / "docs/escapes.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)+)`", TABLE)))


def rows() -> dict[int, list[str]]:
    """The cells of each numbered row."""
    lines = (line for line in TABLE.splitlines() if re.match(r"\| \d+ \|", line))
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {int(row[0]): row[1:] for row in cells}


def functions(path: Path) -> set[str]:
    """The tests of a file, ``test_this`` or ``TestThat::test_this``."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
            found |= {f"{node.name}::{method.name}" for method in methods}
    return found


def test_every_row_is_there_and_whole() -> None:
    assert sorted(rows()) == list(range(1, 31))
    for cells in rows().values():
        assert len(cells) == 4
        assert all(cells)
        assert "::test_" in cells[2]


@pytest.mark.parametrize("name", NAMED)
def test_every_test_named_exists(name: str) -> None:
    path, _, test = name.partition("::")
    assert test.split("::")[-1].startswith("test_")
    assert test in functions(TREE / path)
