"""``fusefs`` is a library of its own: it works without ``venvjail``, and the linter keeps it so."""

import subprocess
import sys

from tests.support.home import TREE

IMPORT_ALL = """
import importlib, pkgutil, sys

sys.modules["venvjail"] = None  # makes every import of it an ImportError
import fusefs

for module in pkgutil.walk_packages(fusefs.__path__, "fusefs."):
    importlib.import_module(module.name)
"""


def lint(name: str, source: str) -> subprocess.CompletedProcess[str]:
    """Lint ``source`` as if it were the file ``name`` of the tree."""
    command = ["check", "--no-cache", "--output-format=concise", f"--stdin-filename={name}", "-"]
    return subprocess.run(
        [sys.executable, "-m", "ruff", *command],
        input=source,
        cwd=TREE,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_fusefs_imports_where_there_is_no_venvjail() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], cwd=TREE, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr


def test_linter_refuses_venvjail_in_fusefs_alone() -> None:
    source = '"""A probe."""\n\nimport venvjail.layout\n\nprint_nothing = venvjail.layout\n'
    refused = lint("fusefs/probe.py", source)
    assert refused.returncode == 1
    assert "TID251" in refused.stdout
    accepted = lint("venvjail/probe.py", source)
    assert accepted.returncode == 0, accepted.stdout
