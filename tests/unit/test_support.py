"""What the other tests stand on: skipping, tiers, refusing root, running commands."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.commands import run_command
from tests.support.home import TREE
from tests.support.requirements import require
from tests.support.tiers import count_by_tier, tier_of


def test_require_skips_where_it_cannot_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VENVJAIL_MUST_WORK", raising=False)
    require(True, "nothing is missing")
    with pytest.raises(pytest.skip.Exception, match="no such thing here"):
        require(False, "no such thing here")


def test_require_fails_where_it_must_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENVJAIL_MUST_WORK", "1")
    require(True, "nothing is missing")
    with pytest.raises(pytest.fail.Exception, match="no such thing here"):
        require(False, "no such thing here")


def test_tier_is_the_directory() -> None:
    assert tier_of("tests/escape/test_proc.py::test_mem[x/unit/y]") == "escape"
    assert tier_of("tests/test_unit.py::test_it") is None
    assert count_by_tier(["tests/ops/t.py::a", "tests/ops/t.py::a", "tests/ops/t.py::b"]) == {
        "ops": 2
    }


def test_each_test_is_marked_with_its_tier(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("unit") is not None
    assert request.node.get_closest_marker("jail") is None


def test_pytest_refuses_root(tmp_path: Path) -> None:
    root = ["unshare", "--user", "--map-root-user"]
    works = subprocess.run([*root, "true"], capture_output=True, timeout=30).returncode == 0
    require(works, "user namespaces do not work here")
    pytest_command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only"]
    done = run_command([*root, *pytest_command], env=dict(os.environ), cwd=TREE)
    assert done.returncode == 2
    assert "`make test`" in done.stdout + done.stderr


def test_run_command_passes_everything_through(tmp_path: Path) -> None:
    script = "cat; echo $WORD; printf '\\377' >&2; pwd; exit 77"
    argv = ["sh", "-c", script]
    done = run_command(
        argv, env={"WORD": "word", "PATH": os.defpath}, cwd=tmp_path, stdin="typed\n"
    )
    assert done.returncode == 77
    assert done.stdout == f"typed\nword\n{tmp_path}\n"
    assert done.stderr == "\udcff"


def test_run_command_ends_a_grandchild_that_holds_the_pipe(tmp_path: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(AssertionError, match=r"(?s)still running.*begun"):
        run_command(
            ["sh", "-c", "echo begun; sleep 600 & wait"],
            env={"PATH": os.defpath},
            cwd=tmp_path,
            timeout=1,
        )
    assert time.monotonic() - begin < 30
