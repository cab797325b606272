"""The tests that a page of the documentation names, and whether there are such."""

import ast
import re
from pathlib import Path

from tests.support.home import TREE


def named_in(page: str) -> list[str]:
    """What ``page``, a path below the tree, names as ``tests/…/test_x.py::test_y``, once each."""
    text = (TREE / page).read_text(encoding="utf-8")
    return sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)+)`", text)))


def exists(name: str) -> bool:
    """Whether there is a test of that name."""
    path, _, test = name.partition("::")
    return test.split("::")[-1].startswith("test_") and test in _functions(TREE / path)


def _functions(path: Path) -> set[str]:
    """The tests of a file, ``test_this`` or ``TestThat::test_this``."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
            found |= {f"{node.name}::{method.name}" for method in methods}
    return found
